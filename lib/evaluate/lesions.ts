/** Measures a segmentation's lesion and counts its lesions. */
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { runInWorkers } from '../base/worker-pool';
import type { ManifestEntry } from '../dataset/manifest';
import type { EvaluateOptions } from './options';

export interface Lesions {
  /** The volume of everything that is labelled, edema included. */
  volumeMl: number;
  /** The number of separate parts of the core of at least `LEAST_LESION_ML`. */
  count: number;
}

/** BraTS' label of edema, which joins separate lesions. */
const EDEMA_LABEL = 2;
/** The least volume of a lesion that counts. The simulated cohort counts in the same way. */
export const LEAST_LESION_ML = 0.5;

/** @internal */
export interface LesionJob {
  id: string;
  segmentation: string;
}
/** @internal */
export type LesionResult = Lesions | { unavailable: string };

/** Measures every case that has a segmentation. A segmentation that cannot be read gives the reason. */
export async function measureLesions(
  entries: readonly ManifestEntry[],
  { workers, signal, onProgress }: EvaluateOptions,
): Promise<Map<string, LesionResult>> {
  const jobs = entries.flatMap(({ id, segmentation }): LesionJob[] =>
    segmentation === undefined ? [] : [{ id, segmentation }],
  );
  const found = new Map<string, LesionResult>();
  if (jobs.length === 0) return found;
  onProgress?.({ stage: 'lesions', done: 0, total: jobs.length });
  await runInWorkers<LesionJob, LesionResult>({
    workerFile: join(__dirname, 'lesions-worker.js'),
    jobs,
    workers: workers ?? availableParallelism(),
    signal,
    onResult: (result, { id }) => {
      found.set(id, result);
      onProgress?.({ stage: 'lesions', done: found.size, total: jobs.length });
    },
  });
  return found;
}

/**
 * @param labels row-major, 0 is no lesion
 * @param shape of `labels`
 * @param voxelMl of one voxel
 */
export function lesionsOf(
  labels: ArrayLike<number>,
  shape: readonly [number, number, number],
  voxelMl: number,
): Lesions {
  const lesion = new Uint8Array(labels.length);
  const core = new Uint8Array(labels.length);
  let voxels = 0;
  let inCore = 0;
  for (let i = 0; i < labels.length; i++) {
    if (labels[i] === 0) continue;
    lesion[i] = 1;
    voxels++;
    if (labels[i] === EDEMA_LABEL) continue;
    core[i] = 1;
    inCore++;
  }
  // A mask may hold edema alone, or one label that is 2. Then all of it is counted.
  const sizes = componentSizes(inCore > 0 ? core : lesion, shape);
  const isLesion = (size: number) => size * voxelMl >= LEAST_LESION_ML;
  // A mask with smaller lesions only counts as one lesion.
  const count = Math.max(voxels > 0 ? 1 : 0, sizes.filter(isLesion).length);
  return { volumeMl: voxels * voxelMl, count };
}

/** Returns the number of voxels of each part of a mask, connected through faces. Clears the mask. */
function componentSizes(mask: Uint8Array, [depth, height, width]: readonly [number, number, number]): number[] {
  const stack: number[] = [];
  const sizes: number[] = [];
  const take = (voxel: number): void => {
    if (mask[voxel] === 0) return;
    mask[voxel] = 0;
    stack.push(voxel);
  };
  for (let start = 0; start < mask.length; start++) {
    take(start);
    let size = 0;
    for (let voxel = stack.pop(); voxel !== undefined; voxel = stack.pop()) {
      size++;
      const x = voxel % width;
      const y = Math.floor(voxel / width) % height;
      const z = Math.floor(voxel / (width * height));
      if (x > 0) take(voxel - 1);
      if (x < width - 1) take(voxel + 1);
      if (y > 0) take(voxel - width);
      if (y < height - 1) take(voxel + width);
      if (z > 0) take(voxel - width * height);
      if (z < depth - 1) take(voxel + width * height);
    }
    if (size > 0) sizes.push(size);
  }
  return sizes;
}
