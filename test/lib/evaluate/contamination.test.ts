/** A scan that trains does not test: within a manifest, under other names and encodings, and across manifests. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { evaluate, loadVolume, type ManifestEntry, readManifest, Volume, writeManifest } from 'brain3d';
import { readCheckpoint } from '../../../dist/checkpoint/checkpoint';
import { readTrainedOn, type TrainedOn } from '../../../dist/checkpoint/trained-on';
import { readImageKeys } from '../../../dist/dataset/image-keys';
import { requireNoLeak } from '../../../dist/dataset/leaks';
import { runEvaluation } from '../../../dist/evaluate/evaluate';
import { splitSubjects } from '../../../lib/dataset/split';
import { subjectIdentity } from '../../../lib/dataset/subject-identity';
import type { Loose } from '../../support/child';
import { brain3d } from '../../support/cli';
import { CASES, fakeModels, readResults, writeCases } from '../../support/evaluation';
import { failure, train, trainingWorkbench } from '../../support/training';

const bench = trainingWorkbench();
const { fresh, options } = bench;

const entriesOf = async (data: string) => (await readManifest(data)).entries;
async function changed(data: string, change: (entries: ManifestEntry[]) => void): Promise<string> {
  const entries = await entriesOf(data);
  change(entries);
  const path = `${fresh()}.jsonl`;
  await writeManifest(path, { entries, skipped: [] });
  return path;
}
const find = (entries: ManifestEntry[], id: string) => entries.find((entry) => entry.id === id) as ManifestEntry;

/** The same scan, saved otherwise. */
const COPIES: Record<string, (image: string) => Promise<string>> = {
  'the same file': async (image) => image,
  'a compressed copy': async (image) => {
    const path = `${fresh()}.nii.gz`;
    writeFileSync(path, gzipSync(readFileSync(image)));
    return path;
  },
  'a copy with another description': async (image) => {
    const path = `${fresh()}.nii`;
    const bytes = readFileSync(image);
    bytes.write('described otherwise', 148);
    writeFileSync(path, bytes);
    return path;
  },
  'a copy with its axes in another order, scaled and shifted': async (image) => {
    const { info, ...volume } = await loadVolume(image).then((read) => ({ info: read.info, voxels: read.data() }));
    const [depth, height, width] = info.shape;
    // (k, j, i) become (i, k, j), i the other way.
    const voxels = new Float32Array(volume.voxels.length);
    let index = 0;
    for (let i = width - 1; i >= 0; i--)
      for (let k = 0; k < depth; k++)
        for (let j = 0; j < height; j++)
          voxels[index++] = 3 * (volume.voxels[(k * height + j) * width + i] as number) - 50;
    const column = (axis: number) => [0, 1, 2].map((row) => info.affine[4 * row + axis] as number);
    const [ofI, ofJ, ofK, origin] = [0, 1, 2, 3].map(column) as [number[], number[], number[], number[]];
    const affine = [0, 1, 2].flatMap((row) => [
      ofJ[row] as number,
      ofK[row] as number,
      -(ofI[row] as number),
      (origin[row] as number) + (width - 1) * (ofI[row] as number),
    ]);
    const path = `${fresh()}.nii.gz`;
    await Volume.fromArray(voxels, [width, depth, height], [...affine, 0, 0, 0, 1]).write(path);
    return path;
  },
};

describe('names of one subject', () => {
  it.each([
    ['sub-01', 'sub-1'],
    ['sub-01', 'SUB-001'],
    ['Patient 7', 'patient7'],
    ['caf\u00e9', 'cafe\u0301'],
    ['\uff11\uff12', '12'],
  ])('%s and %s', (a, b) => expect(subjectIdentity(a)).toBe(subjectIdentity(b)));

  it.each([
    ['sub-1', 'sub-10'],
    ['sub-100', 'sub-10'],
    ['sub-0', 'sub-'],
    ['a1b2', 'a12b'],
  ])('not %s and %s', (a, b) => expect(subjectIdentity(a)).not.toBe(subjectIdentity(b)));

  it('are never divided, and refused where somebody divided them', () => {
    const scans = Array.from({ length: 40 }, (_, index) => `sub-${index % 2 ? '0' : ''}${index >> 1}`).map(
      (subject) => ({
        subject,
        class: 'healthy',
        laterality: 'none' as const,
      }),
    );
    const splits = splitSubjects(scans, 3);
    expect(splits.size).toBe(40);
    for (let index = 0; index < 20; index++) expect(splits.get(`sub-${index}`)).toBe(splits.get(`sub-0${index}`));
    const divided = [
      { id: 'a', subject: 'sub-1', split: 'train' as const },
      { id: 'b', subject: 'sub-01', split: 'test' as const },
    ];
    expect(() => requireNoLeak(divided, 'm.jsonl')).toThrow("got 'sub-01 or sub-1' in train and test");
  });
});

describe('one image in two splits of a manifest', () => {
  it.each(Object.entries(COPIES))('is refused by training and evaluation: %s', async (_title, copy) => {
    const entries = await entriesOf(bench.fixture.data);
    const image = await copy(find(entries, 'scan-0').image);
    const data = await changed(bench.fixture.data, (all) => {
      all.push({ ...find(all, 'scan-0'), id: 'stranger', subject: 'stranger', image, split: 'test' });
    });
    const refused = {
      code: 'BRAIN3D_CONFIG',
      field: 'image',
      message: expect.stringMatching(/scan-0 \(train\) and stranger \(test\)/),
    };
    const given = options({ data, cache: `${fresh()}-cache`, phase: 'projector-warmup' });
    expect(await failure(train(given))).toMatchObject(refused);
    const { model } = bench.fixture;
    const evaluated = evaluate({ models: [model], data, out: fresh(), maxNewTokens: 2 });
    expect(await failure(evaluated)).toMatchObject(refused);
  });

  it('is refused also where the image lies in training and validation', async () => {
    const data = await changed(bench.fixture.data, (all) => {
      all.push({ ...find(all, 'scan-0'), id: 'stranger', subject: 'stranger', split: 'val' });
    });
    const given = options({ data, cache: `${fresh()}-cache`, phase: 'projector-warmup' });
    expect(await failure(train(given))).toMatchObject({ code: 'BRAIN3D_CONFIG', field: 'image' });
  });
});

describe('a subject in two splits', () => {
  it.each(['scan-0', 'SCAN-00'])('is refused by evaluation: %s', async (subject) => {
    const data = await changed(bench.fixture.data, (all) => {
      Object.assign(find(all, 'scan-8'), { subject, split: 'test' });
    });
    const { model } = bench.fixture;
    expect(await failure(evaluate({ models: [model], data, out: fresh() }))).toMatchObject({
      code: 'BRAIN3D_CONFIG',
      field: 'split',
      message: expect.stringContaining("expected each subject in one split, got '"),
    });
  });
});

describe('a model that was trained by another split', () => {
  let model: string;
  /** Three scans it was trained on test; all have other names and other files. */
  let other: string;
  beforeAll(async () => {
    const given = options({ phase: 'projector-warmup', epochs: 1 });
    model = (await train(given)).model;
    const copies = Object.values(COPIES);
    const images = await Promise.all(
      (await entriesOf(bench.fixture.data)).map(({ image }, index) => (copies[index % 4] as (typeof copies)[0])(image)),
    );
    other = await changed(bench.fixture.data, (all) => {
      for (const [index, entry] of all.entries()) {
        entry.id = `renamed-${index}`;
        entry.subject = entry.id;
        entry.image = images[index] as string;
        entry.split = index < 3 ? 'test' : index === 3 ? 'val' : 'train';
      }
    });
  });

  it('says what it has seen, in digests, and keeps it through the phases', async () => {
    const checkpoint = await readCheckpoint(model);
    const seen = await readTrainedOn(checkpoint);
    expect([seen.train.size, seen.val.size, seen.complete]).toEqual([6, 3, true]);
    const json = readFileSync(join(model, 'trained-on.json'), 'utf8');
    expect(json).not.toMatch(/scan-\d|subject|nii/);
    const next = await train(options({ model, phase: 'lora-sft', epochs: 1 }));
    expect(await readTrainedOn(await readCheckpoint(next.model))).toEqual(seen);
  });

  it('is refused, and allowed with a mark in results and tables', async () => {
    const args = ['evaluate', '--model', model, '--data', other, '--out', fresh(), '--max-new-tokens', '2', '--greedy'];
    const refused = await brain3d(args);
    expect(refused.status).toBe(1);
    expect(refused.stderr).toMatch(
      /best has been trained on renamed-0 and 2 more of the 3 cases: .*--allow-seen.*BRAIN3D_CONFIG/,
    );
    const out = fresh();
    const allowed = await brain3d([...args.with(6, out), '--allow-seen']);
    expect({ status: allowed.status, stderr: allowed.status === 0 ? '' : allowed.stderr }).toEqual({
      status: 0,
      stderr: '',
    });
    const results = readResults(out);
    expect(results.contaminated).toBe(true);
    expect(results.rows[0].model.seen).toEqual({ train: 3, val: 0, complete: true });
    const mark = 'contaminated: trained on 3 of 3';
    expect(results.rows[0].name).toContain(mark);
    for (const file of ['table.md', 'table.tex', 'report.html', 'cases.csv'])
      expect(readFileSync(join(out, file), 'utf8')).toContain(mark);
    expect(allowed.stdout).toContain(mark);
  });

  it('is not trained further where what it has seen validates or tests', async () => {
    const given = options({ model, data: other, cache: `${fresh()}-cache`, phase: 'projector-warmup' });
    expect(await failure(train(given))).toMatchObject({
      code: 'BRAIN3D_CONFIG',
      field: 'split',
      message: expect.stringMatching(
        /renamed-0 is in split 'test', but the model has been trained on it, and so are 3 more/,
      ),
    });
  });

  it('is refused without its list, or with another one', async () => {
    const file = join(model, 'trained-on.json');
    const held = readFileSync(file);
    for (const spoil of [
      () => writeFileSync(file, held.toString().replace(/"train": \[\s*"[0-9a-f]{64}",/, '"train": [')),
      () => rmSync(file),
    ]) {
      spoil();
      const attempt = evaluate({ models: [model], data: other, out: fresh(), allowSeen: true });
      expect(await failure(attempt)).toMatchObject({ code: 'BRAIN3D_WEIGHTS', file: 'trained-on.json' });
    }
    writeFileSync(file, held);
  });

  it('evaluates its own validation split, and says so', async () => {
    const { cache, data } = bench.fixture;
    const out = fresh();
    await evaluate({ models: [model], data, cache, out, split: 'val', maxNewTokens: 2, resamples: 10 });
    const { rows, contaminated } = readResults(out);
    expect([rows[0].model.seen, contaminated]).toEqual([{ train: 0, val: 3, complete: true }, false]);
    expect(rows[0].name).toContain('(chosen by 3 of 3)');
  });
});

describe('what a model says it has seen', () => {
  let data: string;
  let keys: Map<string, string>;
  const seenBy = (about: Partial<TrainedOn>): TrainedOn => ({
    complete: true,
    train: new Set(),
    val: new Set(),
    ...about,
  });
  beforeAll(async () => {
    data = await writeCases(join(bench.dir, 'cases'));
    const results = await readImageKeys(await entriesOf(data), { workers: 1 });
    keys = new Map([...results].map(([id, result]) => [id, (result as Loose).key]));
  });
  async function run(trainedOn: TrainedOn, changes: object = {}) {
    const warnings: string[] = [];
    const { open } = fakeModels({ model: { answers: CASES, trainedOn } });
    const shared = { models: ['model'], data, out: fresh(), skullStrip: 'none' as const, workers: 1, resamples: 10 };
    const onWarning = (message: string) => void warnings.push(message);
    return { results: await runEvaluation({ ...shared, onWarning, ...changes }, open), warnings };
  }

  it('is no matter for other images', async () => {
    const { results, warnings } = await run(seenBy({ train: new Set([keys.get('t1') as string]) }));
    expect([results.rows[0]?.name, results.contaminated, warnings]).toEqual(['model', false, []]);
  });

  it('is refused also where a case has validated it', async () => {
    const attempt = run(seenBy({ val: new Set([keys.get('well') as string]) }));
    expect(await failure(attempt)).toMatchObject({ message: expect.stringContaining('chosen by well of the 5 cases') });
  });

  it('is warned of where it is not all', async () => {
    const { results, warnings } = await run(seenBy({ complete: false }));
    expect(warnings).toEqual([expect.stringContaining('does not say which images it has been trained on')]);
    expect(results.rows[0]?.model?.seen).toEqual({ train: 0, val: 0, complete: false });
  });

  it('warns of scans of other splits that cannot be compared', async () => {
    const broken = await writeCases(join(bench.dir, 'broken'));
    rmSync(join(bench.dir, 'broken', 't2.nii.gz'));
    const { warnings } = await run(seenBy({}), { data: broken });
    expect(warnings).toEqual([expect.stringMatching(/^1 scans of other splits cannot be read/)]);
  });
});
