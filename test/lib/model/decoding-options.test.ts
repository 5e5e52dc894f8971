/** A decoding option is listed once; whoever adds one and forgets a place fails a test here. */
import { Brain3D, loadVolume, preprocess } from 'brain3d';
import { readCheckpoint } from '../../../dist/checkpoint/checkpoint';
import { loadAddon } from '../../../dist/native/binding';
import { resolveSettings, toNativeOptions } from '../../../lib/model/decoding';
import { DECODING_NAMES, DECODING_OPTIONS, decodingOf, PAPER_DECODING } from '../../../lib/model/decoding-options';
import { brain3d, SAMPLE, TINY_MODEL } from '../../support/cli';
import { loadNativeModel } from '../../support/native-model';

/** A value of each option that is not the paper's. */
const OTHERS = Object.fromEntries(
  DECODING_NAMES.map((name) => [
    name,
    DECODING_OPTIONS[name].paper === false ? true : Number(PAPER_DECODING[name]) / 2 + 1,
  ]),
);
const CALL = { eosTokenIds: [1], padTokenId: 0, cudaGraph: false };

test('each option is picked out of any options, and overrides the paper', () => {
  expect(decodingOf({ ...OTHERS, device: 'cpu' } as never)).toEqual(OTHERS);
  expect(resolveSettings(OTHERS, { topK: 7 })).toEqual(OTHERS);
  expect(resolveSettings({}, { topK: 7 })).toEqual({ ...PAPER_DECODING, topK: 7 });
});

test.each(['report', 'evaluate'])('%s has a flag for each, unless it describes it itself', async (command) => {
  const { stdout } = await brain3d([command, '--help']);
  for (const name of DECODING_NAMES)
    expect(stdout).toContain(`--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`);
});

test('a report records each', async () => {
  const model = await Brain3D.load({ model: TINY_MODEL });
  const report = await model.generate(await loadVolume(SAMPLE), { maxNewTokens: 2 });
  expect(Object.keys(report.settings).sort()).toEqual([...DECODING_NAMES].sort());
  await model.dispose();
});

test('the addon takes each, and refuses one that it does not know', async () => {
  const { native } = await preprocess(await loadVolume(SAMPLE), {
    size: (await readCheckpoint(TINY_MODEL)).recipe.volumeSize,
  });
  const addon = loadAddon();
  const model = await loadNativeModel(TINY_MODEL);
  const generate = (options: object) =>
    model.generate([native], [2, 5, 6], options as never, addon.createCancelToken(), null);
  const known = toNativeOptions({ ...PAPER_DECODING, maxNewTokens: 1 }, CALL);
  await expect(generate(known)).resolves.toMatchObject({ sequences: [expect.anything()] });
  expect(() => generate({ ...known, minP: 0.1 })).toThrow(new TypeError("unknown decoding option 'minP'"));
  for (const name of Object.keys(known)) {
    const { [name as keyof typeof known]: _, ...rest } = known;
    expect(() => generate(rest)).toThrow(TypeError);
  }
  model.dispose();
});
