/** Evaluation goes on after an interruption, a failure, and in a folder that holds something else. */
import { appendFileSync, cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { Brain3DError, type EvaluateOptions, evaluate } from 'brain3d';
import { digestAnswers } from '../../../dist/checkpoint/checkpoint';
import { selectCases } from '../../../dist/evaluate/cases';
import { runEvaluation } from '../../../dist/evaluate/evaluate';
import { generateModels } from '../../../dist/evaluate/generate-models';
import { namesSeveralLesions } from '../../../lib/evaluate/focality';
import { lesionsOf } from '../../../lib/evaluate/lesions';
import { fileStems, modelNames } from '../../../lib/evaluate/model-names';
import type { Loose } from '../../support/child';
import { TINY_MODEL } from '../../support/cli';
import { CASES, type FakeModel, fakeModels, readResults, writeCases } from '../../support/evaluation';

let dir: string;
let data: string;
let out: string;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'brain3d-evaluate-'));
  data = await writeCases(join(dir, 'data'));
});
beforeEach(() => {
  out = mkdtempSync(join(dir, 'out-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

async function run(model: FakeModel, options: Partial<EvaluateOptions> = {}) {
  const fakes = fakeModels({ model });
  const shared = { models: ['model'], data, out, cache: join(dir, 'cache'), skullStrip: 'none' as const, workers: 1 };
  const warnings: string[] = [];
  const settings = { ...shared, onWarning: (message: string) => void warnings.push(message), ...options };
  const results = await runEvaluation(settings, fakes.open);
  return { ...fakes, results, warnings };
}
type Fakes = ReturnType<typeof fakeModels>;

/** Its first part alone, where nothing depends on scores. */
async function generate(
  model: FakeModel,
  options: Partial<EvaluateOptions> = {},
  wrap = (open: Fakes['open']) => open,
) {
  const fakes = fakeModels({ model });
  const shared = { models: ['model'], data, out, cache: join(dir, 'cache'), skullStrip: 'none' as const, workers: 1 };
  const settings = { ...shared, ...options };
  const cases = await selectCases(settings.data, 'test');
  const { rows } = await generateModels(cases, settings, wrap(fakes.open));
  return { ...fakes, texts: rows[0]?.runs[0]?.texts ?? [] };
}

const MODEL: FakeModel = { answers: CASES };
const generations = () => readFileSync(join(out, 'generations', 'model.seed-0.jsonl'), 'utf8');
const linesOf = (text: string) => text.trimEnd().split('\n');

describe('an interrupted evaluation', () => {
  it('goes on behind the last batch, with the results of one that was not interrupted', async () => {
    const controller = new AbortController();
    const stop = new Error('stopped by the test');
    const onProgress: EvaluateOptions['onProgress'] = ({ stage, done }) => {
      if (stage === 'generations' && done === 2) controller.abort(stop);
    };
    const fakes = fakeModels({ model: MODEL });
    const shared = { models: ['model'], data, cache: join(dir, 'cache'), skullStrip: 'none' as const, workers: 1 };
    const options = { ...shared, out, batchSize: 2, signal: controller.signal, onProgress };
    await expect(runEvaluation(options, fakes.open)).rejects.toBe(stop);
    expect(fakes.events).toEqual(['load model', 'dispose model']);
    const [done] = fakes.calls.map(({ ids }) => ids);
    expect(done).toHaveLength(2);
    expect(linesOf(generations()).slice(0, 3).join('\n')).toMatch(/"format":"brain3d-generations"[\s\S]*"id":"left"/);

    // A process that is killed may leave part of a line.
    appendFileSync(join(out, 'generations', 'model.seed-0.jsonl'), '{"id":"both","volume":"0');
    const before = linesOf(generations()).length - 1;
    const rest = await run(MODEL, { batchSize: 2 });
    expect(rest.calls.flatMap(({ ids }) => ids)).toHaveLength(5 - (before - 1));
    expect(linesOf(generations())).toHaveLength(6);

    const whole = mkdtempSync(join(dir, 'out-'));
    await run(MODEL, { batchSize: 2, out: whole });
    expect(readResults(out)).toEqual(readResults(whole));
  });

  it('loads no model where all texts are there', async () => {
    const first = await run(MODEL);
    const again = await run(MODEL, { resamples: 10 });
    expect([first.events, again.events]).toEqual([['load model', 'dispose model'], []]);
    expect(readResults(out).resamples).toBe(10);
  });

  it('generates anew for a scan that has changed', async () => {
    await generate(MODEL);
    const file = join(out, 'generations', 'model.seed-0.jsonl');
    writeFileSync(file, generations().replace(/("id":"right","volume":")[0-9a-f]/, '$1x'));
    const { calls } = await generate(MODEL);
    expect(calls.map(({ ids }) => ids)).toEqual([['right']]);
  });
});

describe('a folder with other texts', () => {
  it.each<[field: string, model: FakeModel, options: Partial<EvaluateOptions>, message: RegExp]>([
    ['checkpoint', { ...MODEL, checkpoint: 'other' }, {}, /checkpoint "other", got "digest of model"/],
    ['prompt', MODEL, { prompt: 'Other.' }, /prompt "Other.", got "Describe."/],
    ['max_new_tokens', MODEL, { maxNewTokens: 7 }, /max_new_tokens 7, got 256; give another --out, or remove the file/],
    ['skull_strip', MODEL, { skullStrip: 'bet' }, /skull_strip "bet", got "none"/],
  ])('is refused: %s', async (field, model, options, message) => {
    const file = 'model.seed-0.jsonl';
    await generate(MODEL);
    const held = generations();
    const attempt = generate(model, options);
    await expect(attempt).rejects.toMatchObject({
      code: 'BRAIN3D_CONFIG',
      file,
      field,
      message: expect.stringMatching(message),
    });
    expect(generations()).toBe(held);
  });

  it.each(['brain3d', 'torch', 'preprocessing', 'device', 'dtype', 'skull_strip_tool'])(
    'is refused where another %s made them',
    async (field) => {
      await generate(MODEL);
      const file = join(out, 'generations', 'model.seed-0.jsonl');
      const [header, ...lines] = generations().split('\n');
      writeFileSync(file, [JSON.stringify({ ...JSON.parse(header as string), [field]: 'other' }), ...lines].join('\n'));
      await expect(generate(MODEL)).rejects.toMatchObject({ code: 'BRAIN3D_CONFIG', field });
      const { [field]: _, ...older } = JSON.parse(header as string);
      // An earlier release did not note this.
      writeFileSync(file, [JSON.stringify(older), ...lines].join('\n'));
      if (field !== 'skull_strip_tool')
        await expect(generate(MODEL)).rejects.toMatchObject({ code: 'BRAIN3D_CONFIG', field });
    },
  );

  it('is refused for another manifest', async () => {
    await generate(MODEL);
    const other = await writeCases(join(dir, 'other'), (entry) => {
      entry.report = entry.report.replace('lesion', 'lesion indeed');
    });
    await expect(generate(MODEL, { data: other })).rejects.toMatchObject({ code: 'BRAIN3D_CONFIG', field: 'manifest' });
  });

  it('is refused where a line was damaged', async () => {
    await generate(MODEL);
    writeFileSync(join(out, 'generations', 'model.seed-0.jsonl'), generations().replace('"text"', '"test"'));
    await expect(generate(MODEL)).rejects.toMatchObject({
      code: 'BRAIN3D_FORMAT',
      message: expect.stringMatching(/^model.seed-0.jsonl:2: expected a line as evaluate writes it/),
    });
  });

  it('is left to the process that writes into it', async () => {
    const wrap =
      (open: Fakes['open']): Fakes['open'] =>
      async (...given) => {
        const model = await open(...given);
        const load = async () => {
          writeFileSync(join(out, 'generations', 'model.seed-0.jsonl'), 'of another process\n');
          return model.load();
        };
        return { ...model, load };
      };
    await expect(generate(MODEL, {}, wrap)).rejects.toMatchObject({
      code: 'BRAIN3D_IO',
      message: expect.stringContaining('another evaluation writes into the same folder'),
    });
    expect(generations()).toBe('of another process\n');
  });
});

describe('a failed generation', () => {
  const failure = new Brain3DError('BRAIN3D_INTERNAL', 'logits are not finite');

  it('is an empty text with its error, alone in its batch, and is tried again', async () => {
    const { calls, results, warnings } = await run({ answers: { ...CASES, right: failure } }, { batchSize: 5 });
    expect(calls.map(({ ids }) => ids.length)).toEqual([5, 1, 1, 1, 1, 1]);
    const [row] = results.rows;
    expect(row?.generations).toMatchObject({ total: 5, failed: 1, empty: 1 });
    expect(row?.failures).toEqual([
      { id: 'right', seed: 0, code: 'BRAIN3D_INTERNAL', message: 'logits are not finite' },
    ]);
    expect(row?.bleu1).toMatchObject({ n: 5, mean: 4 / 5 });
    expect(warnings).toEqual(['model: right failed and counts as an empty text: logits are not finite']);
    const csv = readFileSync(join(out, 'cases.csv'), 'utf8');
    expect(csv).toMatch(
      /^model,0,right,.*,true,false,false,true,BRAIN3D_INTERNAL,logits are not finite,right,unknown,0,/m,
    );
    expect(readFileSync(join(out, 'report.html'), 'utf8')).toContain('failed: logits are not finite');

    const again = await generate(MODEL);
    expect(again.calls.map(({ ids }) => ids)).toEqual([['right']]);
    expect(again.texts.every(({ error }) => error === null)).toBe(true);
  });

  it('may be that of a scan which cannot be read', async () => {
    const broken = await writeCases(join(dir, 'broken'));
    writeFileSync(join(dir, 'broken', 'both.nii.gz'), 'no volume');
    writeFileSync(join(dir, 'broken', 'left_seg.nii.gz'), 'no mask');
    const { results, calls } = await run(MODEL, { data: broken });
    expect(calls.flatMap(({ ids }) => ids)).toEqual(['left', 'right', 'parietal', 'well']);
    expect(results.rows[0]?.failures).toMatchObject([{ id: 'both', code: 'BRAIN3D_FORMAT' }]);
    expect(results.rows[0]?.cases).toBe(5);
    expect(results.subgroups[0]?.unavailable).toContain('there are 2');
    expect(readFileSync(join(out, 'report.html'), 'utf8')).toContain('no picture: the scan cannot be preprocessed');
  });

  it('is an error where every one fails', async () => {
    const answers = Object.fromEntries(Object.keys(CASES).map((id) => [id, failure]));
    await expect(generate({ answers })).rejects.toMatchObject({
      code: 'BRAIN3D_INTERNAL',
      message: "every generation of 'model' failed (5); the first, left: logits are not finite",
    });
  });

  it('is none where the run itself cannot go on', async () => {
    const device = new Brain3DError('BRAIN3D_DEVICE', 'the device is gone');
    await expect(generate({ answers: { ...CASES, right: device } })).rejects.toBe(device);
    await expect(generate({ answers: { ...CASES, right: new TypeError('a bug') } })).rejects.toThrow('a bug');
  });
});

test('wrong options are named', async () => {
  const given = { models: ['model'], data, out };
  await expect(evaluate({ ...given, modles: [] } as EvaluateOptions)).rejects.toThrow("did you mean 'models'?");
  await expect(evaluate({ ...given, models: [] })).rejects.toThrow('evaluate: expected at least one model for models');
  await expect(evaluate({ ...given, minNewTokens: 9, maxNewTokens: 8 })).rejects.toThrow(
    'minNewTokens <= maxNewTokens',
  );
  await expect(evaluate({ ...given, models: [TINY_MODEL], split: 'val' })).rejects.toMatchObject({
    code: 'BRAIN3D_CONFIG',
    message: "manifest.jsonl: expected scans of the split 'val', got none",
  });
});

test('rows are called by their folders, by as much of the path as tells them apart', () => {
  expect(modelNames(['/a/checkpoint'])).toEqual(['checkpoint']);
  expect(modelNames(['/run/grounding/best', '/run/lora-sft/best'])).toEqual(['grounding/best', 'lora-sft/best']);
  expect(modelNames(['/a/x/m', '/b/x/m', '/c/n'])).toEqual(['a/x/m', 'b/x/m', 'n']);
  expect(() => modelNames(['/a/m', '/a/../a/m'])).toThrow("expected each model once, got 'm' twice");
  expect(fileStems(['a/b', 'a-b', '..'])).toEqual(['a-b', 'a-b-2', 'model']);
});

describe('one model by two names', () => {
  const copy = async (name: string, change: (json: Loose) => void = () => undefined) => {
    const target = join(dir, name);
    cpSync(TINY_MODEL, target, { recursive: true });
    const file = join(target, 'brain3d.json');
    const json = JSON.parse(readFileSync(file, 'utf8'));
    for (const backbone of Object.values(json.backbones) as Loose[])
      backbone.path = resolve(TINY_MODEL, backbone.path as string);
    change(json);
    writeFileSync(file, JSON.stringify(json, null, 1));
    return target;
  };

  it('is refused: a link, a trailing slash, a copy elsewhere, one with other notes', async () => {
    const linked = join(dir, 'linked');
    symlinkSync(TINY_MODEL, linked);
    const others = [
      linked,
      `${TINY_MODEL}/`,
      relative(process.cwd(), TINY_MODEL),
      await copy('copied'),
      await copy('noted', (json) => {
        json.provenance = { note: 'another' };
      }),
    ];
    for (const other of others)
      await expect(evaluate({ models: [TINY_MODEL, other], data, out: `${out}-none` })).rejects.toThrow(
        /^evaluate: expected each model once, got '/,
      );
  });

  it('is another model with another prompt, recipe, backbone or adapter', async () => {
    const changes: Record<string, (json: Loose) => void> = {
      none: () => undefined,
      prompted: (json) => Object.assign(json, { prompt: 'Other.' }),
      sized: (json) => Object.assign(json.recipe, { lower_percentile: 2 }),
      ended: (json) => Object.assign(json, { eos_token_ids: [7] }),
      based: (json) => Object.assign(json.backbones.language.files[0], { sha256: '0'.repeat(64) }),
    };
    const digests: string[] = [];
    for (const [name, change] of Object.entries(changes)) digests.push(await digestAnswers(await copy(name, change)));
    const adapted = await copy('adapted');
    const config = join(adapted, 'adapter/adapter_config.json');
    writeFileSync(config, readFileSync(config, 'utf8').replace(/"lora_alpha": [\d.]+/, '"lora_alpha": 1'));
    digests.push(await digestAnswers(adapted));
    expect(new Set(digests).size).toBe(6);
  });
});

test('a checkpoint is known by its own files', async () => {
  const digest = await digestAnswers(TINY_MODEL);
  expect(digest).toMatch(/^[0-9a-f]{64}$/);
  expect(await digestAnswers(TINY_MODEL)).toBe(digest);
});

describe('lesions', () => {
  const shape = [4, 4, 8] as const;
  const measure = (label: (w: number, h: number, d: number) => number, voxelMl = 1) =>
    lesionsOf(
      Array.from({ length: 4 * 4 * 8 }, (_, i) => label(i % 8, Math.floor(i / 8) % 4, Math.floor(i / 32))),
      [...shape],
      voxelMl,
    );

  it('have the volume of all labels, and are counted by their cores', () => {
    // Two cores of two voxels, joined by edema.
    const two = (w: number, h: number, d: number) => (h + d > 0 ? 0 : w < 2 ? 1 : w < 5 ? 2 : w < 7 ? 4 : 0);
    expect(measure(two)).toEqual({ volumeMl: 7, count: 2 });
    expect(measure(two, 0.2)).toEqual({ volumeMl: expect.closeTo(1.4, 9), count: 1 });
    expect(measure((w, h, d) => (two(w, h, d) === 0 ? 0 : 2))).toEqual({ volumeMl: 7, count: 1 });
    expect(measure(() => 0)).toEqual({ volumeMl: 0, count: 0 });
  });

  it('that touch at a corner only are two', () => {
    expect(measure((w, h, d) => (d === 0 && ((w === 1 && h === 1) || (w === 2 && h === 2)) ? 1 : 0)).count).toBe(2);
    expect(measure((w, h, d) => (d < 2 && w === 7 && h === 3 ? 1 : 0)).count).toBe(1);
  });

  it.each<[boolean, string]>([
    [true, 'Multiple lesion areas are present in the left lobe.'],
    [true, 'The lesions are multifocal.'],
    [true, 'Two enhancing masses are seen.'],
    [false, 'A lesion with multiple high signals.'],
    [false, 'No multifocal lesion is seen.'],
    [false, 'The lesion lies in several lobes.'],
    // The parts that are counted are no lesion, or lie inside one.
    [false, 'The lesion has several low-signal areas within tumor tissue.'],
    [false, 'Necrosis is seen as several low-signal areas within tumor tissue.'],
    [false, 'There are multiple patchy high-signal regions in the left frontal tumor.'],
    [false, 'Two foci of necrosis lie inside the lesion.'],
    [false, 'Multiple small enhancing foci within the mass.'],
    [false, 'Several sulci near the lesion are effaced.'],
    [false, 'Two thirds of the tumor enhance.'],
    [true, 'Multiple foci are scattered in the left hemisphere.'],
    [true, 'Numerous metastases of both hemispheres.'],
    [true, 'A mass with two satellite lesions.'],
    [true, 'A mass is in the left temporal lobe, a second lesion in the left occipital lobe.'],
    [false, 'A left temporal mass. There is no second lesion.'],
    [false, 'A left temporal mass. If further lesions appear, a biopsy is advised.'],
    // A lobe of the left and one of the right.
    [true, 'The lesion area is in the left temporal lobe and the right parietal lobe.'],
    [true, 'A lesion is seen in the left frontal lobe. Another is in the right occipital lobe.'],
    [true, 'Lesions in the left and in the right frontal lobe.'],
    [true, 'There is a left frontal mass and a right frontal mass.'],
    [false, 'The lesion is in the right frontal lobe and extends into the left parietal lobe.'],
    [false, 'The left frontal glioma crosses the corpus callosum to the right parietal lobe.'],
    [false, 'The lesion of the left frontal lobe compresses the right lateral ventricle.'],
    [false, 'The lesion is in the left temporal lobe; the right parietal lobe is normal.'],
    [false, 'The lesion is in the left temporal and left parietal lobes.'],
    [false, 'The lesion lies in the left frontal lobe. The edema extends to the right temporal lobe.'],
  ])('several: %s for "%s"', (expected, report) => expect(namesSeveralLesions(report)).toBe(expected));
});
