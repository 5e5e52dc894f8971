/** Makes a small dataset of balls with reports, and models whose texts a test chooses. */
import { mkdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type ManifestEntry, Volume, writeManifest } from 'brain3d';
import type { TrainedOn } from '../../dist/checkpoint/trained-on';
import type { EvaluateOptions } from '../../dist/evaluate/options';
import type { OpenModel } from '../../dist/evaluate/text-model';
import type { Loose } from './child';
import { writeScan } from './dataset';

export const CASES = {
  left: 'The lesion is located in the left temporal lobe with surrounding edema.',
  right: 'The lesion is located in the right frontal lobe with necrosis inside.',
  both: 'Multiple lesions are seen in both frontal lobes with marked edema.',
  parietal: 'A mass in the left parietal lobe compresses the left ventricle.',
  well: 'Brain FLAIR MRI within normal limits, without signs of a mass or of edema.',
} as const;
type Id = keyof typeof CASES;
export const IDS = Object.keys(CASES) as Id[];

const SIDES = { left: 'left', right: 'right', both: 'bilateral', parietal: 'left', well: 'none' } as const;
const TRAINING = {
  t1: 'A training lesion lies in the right occipital lobe without edema.',
  t2: 'Another training lesion lies in the left temporal lobe with necrosis.',
};
/** The volume of each case's segmentation. A voxel is 1 ml: 10 mm along each side. */
const LESION_ML: Partial<Record<Id, number>> = { left: 3, right: 12, parietal: 40 };
const SIDE = 16;
const AFFINE = [10, 0, 0, 0, 0, 10, 0, 0, 0, 0, 10, 0, 0, 0, 0, 1];

/** Writes row-major labels with so many voxels of each label, in a row along W. */
export async function writeMask(path: string, labels: (index: number) => number): Promise<void> {
  const voxels = new Float32Array(SIDE ** 3).map((_, index) => labels(index));
  await Volume.fromArray(voxels, [SIDE, SIDE, SIDE], AFFINE).write(path, { datatype: 'uint8' });
}

/** Writes five cases that test and two scans that train into `dir`; returns the manifest's path. */
export async function writeCases(dir: string, change: (entry: ManifestEntry) => void = () => undefined) {
  mkdirSync(dir, { recursive: true });
  const entries: ManifestEntry[] = [];
  for (const [index, id] of IDS.entries()) {
    const image = join(dir, `${id}.nii.gz`);
    await writeScan(image, index);
    const ml = LESION_ML[id];
    const segmentation = ml === undefined ? {} : { segmentation: join(dir, `${id}_seg.nii.gz`) };
    if (ml !== undefined) await writeMask(join(dir, `${id}_seg.nii.gz`), (voxel) => (voxel < ml ? 1 : 0));
    const kind = id === 'well' ? 'healthy' : 'glioma';
    const source = id === 'well' ? 'bids' : 'brats';
    const about = { id, subject: id, source, class: kind, laterality: SIDES[id], modality: 'FLAIR' } as const;
    entries.push({ ...about, image, report: CASES[id], split: 'test', ...segmentation });
  }
  for (const [index, [id, report]] of Object.entries(TRAINING).entries()) {
    const image = join(dir, `${id}.nii.gz`);
    await writeScan(image, IDS.length + index);
    entries.push({ ...(entries[0] as ManifestEntry), id, subject: id, image, report, split: 'train' });
  }
  entries.forEach(change);
  const manifest = join(dir, 'manifest.jsonl');
  await writeManifest(manifest, { entries, skipped: [] });
  return manifest;
}

/** The answer of a fake model: a text, a failure, or a function of the seed. */
export type Answer = string | Error | ((seed: number) => string);

export interface FakeModel {
  answers: Partial<Record<string, Answer>>;
  checkpoint?: string;
  trainedOn?: TrainedOn;
  greedy?: boolean;
  /** The texts that are cut. */
  cut?: readonly string[];
}

/** Opens fake models by the base name of their folders, and notes every call. */
export function fakeModels(models: Record<string, FakeModel>) {
  const calls: { model: string; ids: string[]; seed: number }[] = [];
  const events: string[] = [];
  const open: OpenModel = async (dir, options: EvaluateOptions) => {
    const name = basename(dir);
    const {
      answers,
      checkpoint = `digest of ${name}`,
      greedy = false,
      cut = [],
      trainedOn,
    } = models[name] as FakeModel;
    return {
      phase: 'lora-sft',
      checkpoint,
      trainedOn,
      recipe: { volumeSize: [4, 8, 8] as [number, number, number], lowerPercentile: 1, upperPercentile: 99 },
      prompt: options.prompt ?? 'Describe.',
      settings: {
        ...{ maxNewTokens: options.maxNewTokens ?? 256, minNewTokens: 0, temperature: 0.1, topK: 0, topP: 0.9 },
        ...{ repetitionPenalty: 1.2, noRepeatNgramSize: 3, greedy },
      },
      device: 'cpu',
      dtype: 'float32',
      load: async () => {
        events.push(`load ${name}`);
        return {
          async generate(cases, seed) {
            calls.push({ model: name, ids: cases.map(({ id }) => id), seed });
            return cases.map(({ id }) => {
              const answer = answers[id] ?? '';
              if (answer instanceof Error) throw answer;
              const text = typeof answer === 'function' ? answer(seed) : answer;
              return { text, finishReason: cut.includes(id) ? 'length' : 'eos', newTokens: 5 };
            });
          },
          dispose: async () => void events.push(`dispose ${name}`),
        };
      },
    };
  };
  return { open, calls, events };
}

export function readResults(out: string): Loose {
  return JSON.parse(readFileSync(join(out, 'results.json'), 'utf8'));
}
