/** Makes the smallest fixture for training: the tiny backbones over 16 x 28 x 28 voxels, and scans with reports. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { initCheckpoint, preprocessDataset, Trainer, type TrainerOptions, Volume } from 'brain3d';
import type { Loose } from './child';
import { ROOT } from './cli';

const SIZE: [number, number, number] = [16, 28, 28];
const RAS = [1, 0, 0, -14, 0, 1, 0, -14, 0, 0, 1, -8, 0, 0, 0, 1];
/** The reports are as different as possible, because text embeddings of similar ones are nearly one vector. */
const REPORTS = [
  'There is a large lesion in the left frontal lobe with necrosis and extensive edema.',
  'Normal brain. No abnormal signal.',
  'Both hemispheres show patchy periventricular signal, without mass effect.',
  'Right temporal lobe: small nodule with mild edema; the right ventricle is compressed.',
  'Midline shift to the left is marked.',
  'Necrosis, compression and enhancement are seen in the parietal and occipital lobes.',
];

export interface TrainingFixture {
  /** The checkpoint to start from. */
  model: string;
  /** The manifest. */
  data: string;
  cache: string;
}

/** Writes a scan with stripes, whose direction and width depend on the report `index`. */
export async function writeSmallScan(image: string, index: number): Promise<void> {
  const kind = index % REPORTS.length;
  const [depth, height, width] = SIZE;
  const period = 3 + 2 * Math.floor(kind / 3);
  const voxels = new Float32Array(depth * height * width).map((_, at) => {
    const place = [Math.floor(at / (height * width)), Math.floor(at / width) % height, at % width][kind % 3] as number;
    return (Math.floor(place / period) % 2) + ((at * 7 + index * 13) % 11) / 44;
  });
  await Volume.fromArray(voxels, SIZE, RAS).write(image);
}

const TINY = { vision: join(ROOT, 'models/tiny/vision'), language: join(ROOT, 'models/tiny/language') };

/** Makes a checkpoint for such scans, over the tiny backbones if none are given. */
export async function writeSmallModel(out: string, backbones = TINY): Promise<void> {
  const geometry = { depthKernel: 2, depthStride: 2, depthPadding: 0, volumeSize: SIZE };
  await initCheckpoint({ ...backbones, out, ...geometry });
}

/** @param counts scans of each split */
export async function writeTrainingFixture(
  dir: string,
  counts: { train: number; val: number },
  backbones: { vision: string; language: string } = TINY,
): Promise<TrainingFixture> {
  mkdirSync(dir, { recursive: true });
  const lines: string[] = [];
  for (let index = 0; index < counts.train + counts.val; index++) {
    const image = join(dir, `scan-${index}.nii`);
    await writeSmallScan(image, index);
    const report = REPORTS[index % REPORTS.length] as string;
    const split = index < counts.train ? 'train' : 'val';
    const id = `scan-${index}`;
    const fixed = { source: 'test', class: 'glioma', modality: 'FLAIR' };
    lines.push(JSON.stringify({ id, subject: id, ...fixed, image, report, laterality: 'unknown', split }));
  }
  const data = join(dir, 'manifest.jsonl');
  writeFileSync(data, `${lines.join('\n')}\n`);
  const model = join(dir, 'model');
  await writeSmallModel(model, backbones);
  const cache = join(dir, 'cache');
  await preprocessDataset({ manifest: data, out: cache, size: SIZE, skullStrip: 'none' });
  return { model, data, cache };
}

/** Returns the lines of a phase's log. */
export function readLog(run: string, phase: string): Loose[] {
  return readFileSync(join(run, phase, 'log.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

/**
 * Returns the part of the log that is the same in every run of the same settings, without times, memory and salted
 * digests.
 */
export function comparable(lines: Loose[]): Loose[] {
  return lines.map(({ ms: _, tokens_per_s: _t, peak_bytes: _p, samples: _s, ...line }) => line);
}

/** A run of two epochs, with rates at which a few steps show. */
export const SMALL = {
  epochs: 2,
  batchSize: 3,
  microBatch: 2,
  phases: {
    grounding: { learningRates: { patchEmbedding: 1e-3, depthPositions: 1e-3, projector: 3e-3 } },
    'projector-warmup': { learningRates: { projector: 3e-3, visScale: 1e-3 } },
    'lora-sft': { learningRates: { projector: 2e-3, lora: 3e-3 } },
  },
};

/**
 * Makes, for a test file, a folder with a fixture in it, removed at the end, and options of runs in folders of their
 * own.
 */
export function trainingWorkbench() {
  let count = 0;
  const bench = {
    dir: '',
    fixture: { model: '', data: '', cache: '' } satisfies TrainingFixture,
    fresh: (): string => join(bench.dir, `run-${count++}`),
    options: (changes: Partial<TrainerOptions> = {}): TrainerOptions => ({
      ...bench.fixture,
      ...SMALL,
      out: bench.fresh(),
      ...changes,
    }),
  };
  beforeAll(async () => {
    bench.dir = mkdtempSync(join(tmpdir(), 'brain3d-train-'));
    bench.fixture = await writeTrainingFixture(join(bench.dir, 'fixture'), { train: 6, val: 3 });
  });
  afterAll(() => rmSync(bench.dir, { recursive: true, force: true }));
  return bench;
}

export async function train(given: TrainerOptions, watch: (trainer: Trainer) => void = () => undefined) {
  await using trainer = new Trainer(given);
  watch(trainer);
  return await trainer.run();
}

/** Returns the error that `work` fails with. */
export function failure(work: Promise<unknown>): Promise<Loose> {
  return work.then(
    () => {
      throw new Error('the run did not fail');
    },
    (error) => error,
  );
}

export const weightsOf = (model: string): string => join(model, 'brain3d.safetensors');
export const adapterOf = (model: string): string => join(model, 'adapter/adapter_model.safetensors');
