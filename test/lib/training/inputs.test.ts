/** A resumed run goes on with what it began with: each input that changed is refused, and named. */
import { cpSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  initCheckpoint,
  loadVolume,
  type PreprocessDatasetOptions,
  preprocessDataset,
  readManifest,
  type TrainerOptions,
  Volume,
  writeManifest,
} from 'brain3d';
import { fingerprint } from '../../../dist/checkpoint/backbone';
import { hashId } from '../../../dist/training/log';
import { otherVersions, requireSameScans } from '../../../dist/training/run-record';
import type { Loose } from '../../support/child';
import { ROOT } from '../../support/child';
import { failure, train, trainingWorkbench } from '../../support/training';

const bench = trainingWorkbench();
const { fresh, options } = bench;
const SIZE: [number, number, number] = [16, 28, 28];

/** A run of its own scans, manifest and cache that was stopped in its first epoch. */
async function begunRun(changes: Partial<TrainerOptions> = {}): Promise<TrainerOptions> {
  const dir = fresh();
  mkdirSync(dir);
  const { entries } = await readManifest(bench.fixture.data);
  for (const entry of entries) {
    const image = join(dir, `${entry.id}.nii`);
    cpSync(entry.image, image);
    entry.image = image;
  }
  const data = join(dir, 'manifest.jsonl');
  await writeManifest(data, { entries, skipped: [] });
  const cache = join(dir, 'cache');
  await preprocess(data, cache);
  const given = options({ phase: 'projector-warmup', data, cache, ...changes });
  const controller = new AbortController();
  const stopped = train({ ...given, signal: controller.signal }, (trainer) =>
    trainer.on('step', ({ step }) => void (step === 1 && controller.abort(new Error('enough')))),
  );
  expect((await failure(stopped)).message).toBe('enough');
  return { ...given, resume: true };
}

const preprocess = (manifest: string, out: string, changes: Partial<PreprocessDatasetOptions> = {}) =>
  preprocessDataset({ manifest, out, size: SIZE, skullStrip: 'none', workers: 1, ...changes });

async function replaceImage(run: TrainerOptions, id: string): Promise<void> {
  const image = join(run.data, '..', `${id}.nii`);
  const volume = await loadVolume(image);
  await Volume.fromArray(volume.data().reverse(), SIZE, volume.info.affine).write(image);
}

describe('a resumed run', () => {
  test('goes on where nothing changed, also with a cache that was made again', async () => {
    const run = await begunRun();
    const cache = `${fresh()}-cache`;
    await preprocess(run.data, cache);
    expect((await train({ ...run, cache })).phases).toMatchObject([{ epochs: 2 }]);
  });

  test('is refused with an image that was replaced, before and after it is preprocessed', async () => {
    const run = await begunRun();
    await replaceImage(run, 'scan-2');
    expect(await failure(train(run))).toMatchObject({
      code: 'BRAIN3D_FORMAT',
      field: 'scan-2',
      message: expect.stringContaining('its entry in the cache is of another image than the one that is there now'),
    });
    await preprocess(run.data, run.cache as string);
    expect(await failure(train(run))).toMatchObject({
      code: 'BRAIN3D_CONFIG',
      file: 'run.json',
      field: 'scans',
      message: expect.stringMatching(
        /^1 \(scan-2\) of the run's 9 scans of another image, .*resume with what it began with/,
      ),
    });
  });

  test('is refused with a cache of another skull-stripping', async () => {
    const run = await begunRun();
    await preprocess(run.data, run.cache as string, { skullStrip: 'auto' });
    expect(await failure(train(run))).toMatchObject({
      code: 'BRAIN3D_CONFIG',
      field: 'scans',
      message: expect.stringMatching(/^9 \(scan-0, scan-1, scan-2, \.\.\.\) of the run's 9 scans .*skull-stripping/),
    });
  });

  test('is refused with a scan left out, and with one that was left out and is back', async () => {
    const run = await begunRun();
    const image = join(run.data, '..', 'scan-4.nii');
    const whole = readFileSync(image);
    writeFileSync(image, whole.subarray(0, 500));
    await preprocess(run.data, run.cache as string, { onError: 'skip' });
    expect(await failure(train(run))).toMatchObject({
      code: 'BRAIN3D_CONFIG',
      message: expect.stringMatching(/^1 \(scan-4\) of the run's 9 scans left out now/),
    });
    const without = { ...run, out: fresh() };
    const controller = new AbortController();
    await failure(
      train({ ...without, resume: false, signal: controller.signal }, (trainer) =>
        trainer.on('step', () => controller.abort(new Error('enough'))),
      ),
    );
    writeFileSync(image, whole);
    await preprocess(run.data, run.cache as string);
    expect(await failure(train(without))).toMatchObject({
      message: expect.stringMatching(/^1 \(scan-4\) of the run's 8 scans new/),
    });
    // And the first one is what it was.
    expect((await train(run)).phases).toHaveLength(1);
  });

  test('is refused with another report, and with a finished phase of other scans', async () => {
    const run = await begunRun();
    await train(run);
    await replaceImage(run, 'scan-1');
    await preprocess(run.data, run.cache as string);
    expect(await failure(train(run))).toMatchObject({ code: 'BRAIN3D_CONFIG', field: 'scans' });
    const { entries } = await readManifest(run.data);
    Object.assign(entries[0] as Loose, { report: 'Another report of the very same scan.' });
    await writeManifest(run.data, { entries, skipped: [] });
    expect(await failure(train(run))).toMatchObject({ code: 'BRAIN3D_CONFIG', field: 'manifest_sha256' });
  });

  test('is refused with a tokenizer that differs where no fingerprint looks', async () => {
    const language = `${fresh()}-language`;
    cpSync(join(ROOT, 'models/tiny/language'), language, { recursive: true });
    const tokenizer = join(language, 'tokenizer.json');
    // White space behind the document: a fingerprint reads 64 blocks of 4 KiB.
    writeFileSync(tokenizer, Buffer.concat([readFileSync(tokenizer), Buffer.alloc(2 ** 21, ' ')]));
    const model = `${fresh()}-model`;
    const geometry = { depthKernel: 2, depthStride: 2, depthPadding: 0, volumeSize: SIZE };
    await initCheckpoint({ vision: join(ROOT, 'models/tiny/vision'), language, out: model, ...geometry });
    const run = await begunRun({ model });
    const before = await fingerprint(language);
    const bytes = readFileSync(tokenizer);
    const { size } = statSync(tokenizer);
    const block = Math.floor((size - 4096) / 63);
    bytes.write('\n', 50 * block + 3 * 4096);
    writeFileSync(tokenizer, bytes);
    expect(await fingerprint(language)).toBe(before);
    expect(await failure(train(run))).toMatchObject({ code: 'BRAIN3D_CONFIG', field: 'model.language' });
  });

  test('is refused with an adapter of another scale', async () => {
    const { model } = await train(options({ phase: 'lora-sft', epochs: 1 }));
    const run = await begunRun({ model, phase: 'lora-sft' });
    const config = join(model, 'adapter/adapter_config.json');
    writeFileSync(config, readFileSync(config, 'utf8').replace('"lora_alpha": 32', '"lora_alpha": 16'));
    expect(await failure(train(run))).toMatchObject({ code: 'BRAIN3D_CONFIG', field: 'model.adapter_config_sha256' });
  });

  test('is warned where another release goes on, and refused where an earlier one noted too little', async () => {
    const run = await begunRun();
    const file = join(run.out, 'projector-warmup/run.json');
    const record = JSON.parse(readFileSync(file, 'utf8'));
    writeFileSync(file, JSON.stringify({ ...record, versions: { brain3d: '0.0.1', torch: '2.0.0' } }));
    const warnings: string[] = [];
    await train(run, (trainer) => trainer.on('warning', (message) => void warnings.push(message)));
    expect(warnings).toContainEqual(expect.stringContaining('the run began with brain3d 0.0.1 and LibTorch 2.0.0'));
    expect(otherVersions(record, { ...record })).toBeNull();
    writeFileSync(file, JSON.stringify({ ...record, format_version: 1 }));
    expect(await failure(train(run))).toMatchObject({ code: 'BRAIN3D_CONFIG', field: 'format_version' });
  });

  test('does not name anyone in its record', async () => {
    const run = await begunRun();
    expect(readFileSync(join(run.out, 'projector-warmup/run.json'), 'utf8')).not.toMatch(/scan-\d|\.nii|lesion/);
  });
});

test('scans are compared one by one: who, where, in which order, with what', () => {
  const salt = '0'.repeat(32);
  const scan = (id: string, changes: object = {}): Loose => ({
    ...{ id, split: 'train', input: `input of ${id}`, reportSha256: `report of ${id}` },
    ...changes,
  });
  const stored = ({ id, split, input, reportSha256 }: Loose) => ({
    sample: hashId(salt, id),
    split,
    input,
    report: reportSha256,
  });
  const begun = [scan('a'), scan('b'), scan('c', { split: 'val' })];
  const compare = (now: Loose[], skipped: string[] = []) =>
    requireSameScans({ salt, scans: begun.map(stored) } as Loose, now, skipped);
  const [a, b, c] = begun as [Loose, Loose, Loose];
  compare([a, b, c]);
  for (const [now, message] of [
    [[b, a, c], "the run's scans are in another order"],
    [[a, c], "1 of the run's 3 scans left out now"],
    [[a, b, c, scan('d')], "1 (d) of the run's 3 scans new"],
    [[a, scan('b', { split: 'val' }), c], "1 (b) of the run's 3 scans in another split"],
    [[a, scan('b', { reportSha256: 'x' }), c], "1 (b) of the run's 3 scans with another report"],
    [[scan('a', { input: 'x' }), scan('b', { input: 'y' }), c], "2 (a, b) of the run's 3 scans of another image"],
  ] as [Loose[], string][])
    expect(() => compare(now)).toThrow(
      expect.objectContaining({ code: 'BRAIN3D_CONFIG', message: expect.stringContaining(message) }),
    );
  expect(() => compare([a, c], ['b'])).toThrow("1 (b) of the run's 3 scans left out now");
});
