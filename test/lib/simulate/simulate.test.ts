import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { extractBrain, loadVolume, preprocess, simulateCohort, simulateSubject, type Volume } from 'brain3d';
import { SplitMix64 } from '../../../lib/base/rng';
import { extractLaterality } from '../../../lib/reading/laterality';
import { Draws } from '../../../lib/simulate/draws';
import { type Findings, findingsOf } from '../../../lib/simulate/findings';
import { planCohort, planSubject } from '../../../lib/simulate/plan';
import { repeatedTrigrams, writeReport } from '../../../lib/simulate/write-report';
import { brain3d } from '../../support/cli';

const made: string[] = [];
function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'brain3d-simulate-'));
  made.push(folder);
  return folder;
}
afterAll(() => {
  for (const folder of made) rmSync(folder, { recursive: true, force: true });
});

/** Mean RAS place in mm of the voxels that are not 0, by the affine alone. */
function centre(volume: Volume): [number, number, number] {
  const { shape, affine } = volume.info;
  const [, height, width] = shape;
  const sum = [0, 0, 0];
  let count = 0;
  volume.data().forEach((value, index) => {
    if (value === 0) return;
    const [i, j, k] = [index % width, Math.floor(index / width) % height, Math.floor(index / (width * height))];
    for (let row = 0; row < 3; row++) {
      const [a, b, c, d] = affine.slice(4 * row, 4 * row + 4) as [number, number, number, number];
      sum[row] = (sum[row] as number) + a * i + b * j + c * k + d;
    }
    count++;
  });
  return sum.map((value) => value / count) as [number, number, number];
}

describe('composition', () => {
  test('468 subjects are 369 patients in the proportions of the paper and 99 controls', () => {
    const sides = planCohort(468, 0).map(({ side }) => side ?? 'healthy');
    const count = (name: string) => sides.filter((side) => side === name).length;
    expect(['left', 'right', 'bilateral', 'midline', 'healthy'].map(count)).toEqual([157, 150, 54, 8, 99]);
  });

  test('ids are unique and say nothing of the side; the order is that of the seed', () => {
    const plans = planCohort(60, 5);
    expect(new Set(plans.map(({ id }) => id)).size).toBe(60);
    expect(planCohort(60, 5)).toEqual(plans);
    expect(planCohort(60, 6).map(({ side }) => side)).not.toEqual(plans.map(({ side }) => side));
  });

  test('anatomy, contrast, acquisition and axis order do not depend on the class', () => {
    const settings = { seed: 3, grid: 'small', keepSkull: false, massEffect: true } as const;
    for (let index = 0; index < 20; index++) {
      const specs = [null, 'left', 'right', 'bilateral', 'midline'].map((side) =>
        planSubject({ id: 'x', index, side: side as 'left' | null }, settings, 0),
      );
      const without = specs.map(({ tumour, ...rest }) => rest);
      for (const spec of without) expect(spec).toEqual(without[0]);
    }
  });
});

describe('a marker that is left in the mask', () => {
  test.each(['left', 'right'] as const)(
    'is on that side of the affine and of the report, however it is stored: %s',
    async (side) => {
      const orders = new Set<string>();
      for (const seed of [1, 2, 3, 4]) {
        const subject = await simulateSubject({ side, seed, grid: 'small' });
        const [x] = centre(subject.segmentation);
        expect(side === 'left' ? -x : x).toBeGreaterThan(10);
        expect(extractLaterality(subject.report as string).side).toBe(side);
        expect(subject.findings?.laterality).toBe(side);
        expect(subject.flair.info.affine).toEqual(subject.segmentation.info.affine);
        orders.add(subject.flair.info.orientation);
      }
      expect(orders.size).toBeGreaterThan(1);
    },
  );

  test('bilateral and midline lesions, and healthy subjects, are called so', async () => {
    const bilateral = await simulateSubject({ side: 'bilateral', seed: 4, grid: 'small' });
    expect(extractLaterality(bilateral.report as string).side).toBe('bilateral');
    const midline = await simulateSubject({ side: 'midline', seed: 4, grid: 'small' });
    expect(extractLaterality(midline.report as string).side).toBe('unknown');
    const healthy = await simulateSubject({ side: null, seed: 4, grid: 'small' });
    expect(healthy.report).toBeNull();
    expect(healthy.findings).toBeNull();
    expect(healthy.segmentation.data().every((value) => value === 0)).toBe(true);
  });
});

describe('findings', () => {
  const part = (
    region: string,
    side: 'left' | 'right',
    necrosisMm3: number,
    edemaMm3: number,
    enhancingMm3: number,
  ) => ({
    region,
    side,
    necrosisMm3,
    edemaMm3,
    enhancingMm3,
  });
  const truth = {
    volumes: [part('frontal', 'left', 4000, 20000, 10000), part('insula', 'left', 0, 9000, 1000)],
    reachMm: [60, 0] as [number, number],
    ventricleMm3: [7000, 9500] as [number, number],
    ventricleBeforeMm3: [10000, 10000] as [number, number],
    midlineShiftMm: 3,
    brainMm3: 1.4e6,
    coresMm3: [15000],
  };

  test('come from the volumes alone', () => {
    expect(findingsOf(truth)).toEqual({
      laterality: 'left',
      lobes: ['frontal', 'insula'],
      lobesBySide: { left: ['frontal', 'insula'], right: [] },
      edemaLobes: [],
      edema: 'moderate',
      necrosis: 'moderate',
      multifocal: false,
      crossesCallosum: false,
      compression: { left: 'moderate', right: null },
      midlineShift: 'right',
      volumesMm3: { necrosis: 4000, edema: 29000, enhancing: 11000, left: 44000, right: 0 },
    });
  });

  test('a lesion is bilateral from 12 % in the other half, multifocal by its parts, healthy without any', () => {
    const shared = (right: number) => ({
      ...truth,
      volumes: [part('frontal', 'left', 0, 0, 100 - right), part('frontal', 'right', 0, 0, right)],
      reachMm: [60, 40] as [number, number],
    });
    expect(findingsOf(shared(11))?.laterality).toBe('left');
    expect(findingsOf(shared(13))?.laterality).toBe('bilateral');
    expect(findingsOf({ ...shared(40), reachMm: [20, 20] })?.laterality).toBe('unknown');
    expect(findingsOf({ ...truth, coresMm3: [9000, 6000, 20] })?.multifocal).toBe(true);
    expect(findingsOf({ ...truth, coresMm3: [9000, 20] })?.multifocal).toBe(false);
    expect(findingsOf({ ...truth, volumes: [] })).toBeNull();
  });

  test('every report has its four parts, its own side, and hardly ever the same three words twice', () => {
    const base = findingsOf(truth) as Findings;
    const texts = new Set<string>();
    let repeated = 0;
    for (let seed = 0; seed < 300; seed++) {
      const report = writeReport(base, new Draws(new SplitMix64(seed)));
      texts.add(report);
      repeated += repeatedTrigrams(report);
      expect(report.match(/[.](?= |$)/g)).toHaveLength(4);
      for (const word of [/lesion/i, /edema/i, /necrosis/i, /compression/i, /left/]) expect(report).toMatch(word);
      expect(report).not.toMatch(/undefined|null| {2}|,,|\.\./);
      const { side, notes } = extractLaterality(report);
      expect({ report, side, wrong: notes.filter((note) => note.includes('named apart')) }).toEqual({
        report,
        side: 'left',
        wrong: [],
      });
    }
    expect(texts.size).toBeGreaterThan(200);
    expect(repeated).toBe(0);
  });

  test('no report names a side that the lesion and its effects do not have', () => {
    const midline = {
      ...truth,
      volumes: [part('cerebellum', 'left', 0, 500, 500), part('cerebellum', 'right', 0, 500, 500)],
    };
    const findings = findingsOf({
      ...midline,
      reachMm: [12, 14],
      ventricleMm3: [10000, 10000],
      midlineShiftMm: 0,
      coresMm3: [1000],
    }) as Findings;
    for (let seed = 0; seed < 50; seed++)
      expect(writeReport(findings, new Draws(new SplitMix64(seed)))).not.toMatch(/\b(left|right|bilateral|both)\b/);
  });
});

describe('a cohort on disk', () => {
  const options = { subjects: 6, seed: 9, grid: 'small' } as const;

  /** Path below the folder -> SHA-256 of its bytes. */
  function digests(folder: string): Record<string, string> {
    const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    const paths = files.map((entry) => join(entry.parentPath, entry.name)).sort();
    return Object.fromEntries(
      paths.map((path) => [relative(folder, path), createHash('sha256').update(readFileSync(path)).digest('hex')]),
    );
  }

  test('has the layouts of the real ones, and the same bytes in another process with other threads', async () => {
    const [first, second] = [join(newFolder(), 'a'), join(newFolder(), 'b')];
    const statistics = await simulateCohort({ ...options, out: first, workers: 2 });
    expect(statistics).toMatchObject({ subjects: 6, patients: 5, controls: 1 });
    expect(Object.keys(digests(first))).toEqual(
      expect.arrayContaining([
        'brats/Simulated_Training_001/Simulated_Training_001_flair.nii.gz',
        'brats/Simulated_Training_001/Simulated_Training_001_seg.nii.gz',
        'brats/Simulated_Training_001/Simulated_Training_001_truth.json',
        'reports/Simulated_Training_001/Simulated_Training_001_flair_text.txt',
        'healthy/sub-simulated001/anat/sub-simulated001_FLAIR.nii.gz',
        'healthy/dataset_description.json',
        'cohort.json',
        'statistics.json',
      ]),
    );
    expect(statSync(join(first, 'cohort.json')).mode & 0o777).toBe(0o600);
    const { status, stderr } = await brain3d([
      'simulate',
      '--out',
      second,
      '--subjects',
      '6',
      '--seed',
      '9',
      '--grid',
      'small',
      '--workers',
      '1',
    ]);
    expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' });
    expect(digests(second)).toEqual(digests(first));
    const segmentation = await loadVolume(
      join(first, 'brats/Simulated_Training_002/Simulated_Training_002_seg.nii.gz'),
    );
    expect(segmentation.info.datatype).toBe('uint8');
    expect([...new Set(segmentation.data())].every((label) => [0, 1, 2, 4].includes(label))).toBe(true);
  });

  test('goes on where it stopped, with the same result', async () => {
    const [whole, broken] = [join(newFolder(), 'a'), join(newFolder(), 'b')];
    await simulateCohort({ ...options, out: whole });
    const controller = new AbortController();
    const stopped = simulateCohort({
      ...options,
      out: broken,
      workers: 1,
      signal: controller.signal,
      onProgress: ({ done }) => done === 2 && controller.abort(new Error('enough')),
    });
    await expect(stopped).rejects.toThrow('enough');
    expect(existsSync(join(broken, 'statistics.json'))).toBe(false);
    const finished: number[] = [];
    await simulateCohort({ ...options, out: broken, onProgress: ({ done }) => finished.push(done) });
    expect(finished[0]).toBeGreaterThanOrEqual(2);
    expect(digests(broken)).toEqual(digests(whole));
  });

  test('is not mixed with another', async () => {
    const out = join(newFolder(), 'a');
    await simulateCohort({ ...options, subjects: 1, out });
    const other = simulateCohort({ ...options, subjects: 1, seed: 10, out });
    await expect(other).rejects.toThrow(/holds another cohort/);
    await expect(other).rejects.toMatchObject({ code: 'BRAIN3D_USAGE' });
    const foreign = newFolder();
    mkdirSync(join(foreign, 'brats'));
    await expect(simulateCohort({ ...options, out: foreign })).rejects.toThrow("it holds 'brats' already");
    expect(readdirSync(foreign)).toEqual(['brats']);
  });

  test('keeps the skull on request, with the true mask beside', async () => {
    const out = join(newFolder(), 'a');
    await simulateCohort({ ...options, subjects: 1, out, keepSkull: true });
    const folder = join(out, 'brats/Simulated_Training_001');
    const head = (await loadVolume(join(folder, 'Simulated_Training_001_flair.nii.gz'))).data();
    const mask = (await loadVolume(join(folder, 'Simulated_Training_001_brainmask.nii.gz'))).data();
    const bright = head.filter((value, index) => mask[index] === 0 && value > 100).length;
    expect(bright).toBeGreaterThan(50_000);
  });
});

test('options are checked by name', async () => {
  await expect(simulateSubject({ side: 'up' as 'left' })).rejects.toThrow(
    "simulateSubject: expected left or right or bilateral or midline for side, got 'up'",
  );
  await expect(simulateCohort({ out: 'x', subjects: 0 })).rejects.toThrow('expected an integer from 1 to 100000');
  await expect(simulateCohort({ out: 'x', grids: 'small' } as never)).rejects.toThrow("did you mean 'grid'?");
});

test('brain extraction finds the brains of simulated heads, however they are stored', async () => {
  const dice: number[] = [];
  const orders = new Set<string>();
  for (const [seed, side] of ([null, 'left', 'right', 'bilateral', null, 'left'] as const).entries()) {
    const { flair, brain } = await simulateSubject({ side, seed, grid: 'small', keepSkull: true });
    const { mask, method } = await extractBrain(flair);
    expect(method).toBe('bet');
    const [found, truth] = [mask.data(), brain.data()];
    const both = found.reduce((sum, value, index) => sum + (value && truth[index] ? 1 : 0), 0);
    const sum = (voxels: Float32Array) => voxels.reduce((total, value) => total + (value ? 1 : 0), 0);
    dice.push((2 * both) / (sum(found) + sum(truth)));
    orders.add(flair.info.orientation);
  }
  expect(Math.min(...dice)).toBeGreaterThan(0.95);
  expect(orders.size).toBeGreaterThan(3);
});

test('auto sees that a simulated patient is stripped already, and keeps its brain', async () => {
  for (const [seed, side] of (['left', null, 'bilateral'] as const).entries()) {
    const { flair } = await simulateSubject({ side, seed, grid: 'small' });
    const stripped = await preprocess(flair);
    expect(stripped.preprocessed?.skullStrip.method).toBe('already-stripped');
    // The background's distance below the brain is another; bright voxels stay where they are.
    const asItIs = (await preprocess(flair, { skullStrip: 'none' })).data();
    const differences = stripped.data().map((value, index) => Math.abs(value - (asItIs[index] as number)));
    expect(differences.reduce((largest, value) => Math.max(largest, value), 0)).toBeLessThan(0.3);
  }
});
