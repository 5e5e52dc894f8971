/**
 * Makes a key of what an image shows. The key is equal for the same scan however it was saved. It is computed from
 * voxels along canonical axes, not from the file's bytes, and from the order of their values, not from the values. So
 * it does not change with the name, the compression or the rest of the header, with the order or direction of the
 * stored axes, with the datatype, or with `a x + b`, a > 0.
 *
 * A scan is divided into 8 x 8 x 8 blocks and the order of their means is digested, because rounding voxels does not
 * change the order of means of many voxels. Where too few means differ to tell images apart (a phantom without noise),
 * the order of all voxels is digested. A resampled, cropped, filtered, stripped, mirrored or coarsely quantised image
 * is another image.
 */
import { createHash } from 'node:crypto';

/** The version of the definition, which is part of every key. */
export const IMAGE_KEY_VERSION = 1;
const BLOCKS = 8;
/** The least number of different means by which blocks can tell images apart. */
const MIN_DIFFERENT = 128;
/**
 * The least difference between two means, as a share of their range. Nearer means count as one, since rounding could
 * swap them.
 */
const TOLERANCE = 1e-4;
/** The position of a patient axis in canonical (D, H, W): Superior, Anterior, Right. */
const CANONICAL_AXIS: Record<string, number> = { S: 0, I: 0, A: 1, P: 1, R: 2, L: 2 };

export interface KeyedImage {
  /** Row-major (D, H, W). */
  voxels: Float32Array;
  shape: readonly [depth: number, height: number, width: number];
  /** Axis codes of (i, j, k) = (W, H, D), such as `LPS`. */
  orientation: string;
}

/** Returns a SHA-256, or null for an image that preprocessing refuses: constant, or with voxels that are not finite. */
export function imageKey(image: KeyedImage): string | null {
  const axes = canonicalAxes(image);
  const blocks = orderOfBlocks(image, axes);
  if (blocks === null) return null;
  const isTelling = blocks.different >= MIN_DIFFERENT;
  const order = isTelling ? blocks.ranks : orderOfVoxels(image, axes);
  const header = JSON.stringify([IMAGE_KEY_VERSION, isTelling ? 'blocks' : 'voxels', axes.shape]);
  return createHash('sha256').update(header).update(new Uint8Array(order.buffer)).digest('hex');
}

interface Axes {
  /** The canonical shape (D, H, W). */
  shape: [number, number, number];
  /** For each stored axis (D, H, W), the canonical axis and whether it runs in the opposite direction. */
  stored: { axis: number; isFlipped: boolean; length: number }[];
}

function canonicalAxes({ shape, orientation }: KeyedImage): Axes {
  const stored = shape.map((length, place) => {
    // The codes are for (i, j, k), the reverse of the array's axes.
    const code = orientation.charAt(2 - place);
    return { axis: CANONICAL_AXIS[code] as number, isFlipped: 'IPL'.includes(code), length };
  });
  const canonical: [number, number, number] = [0, 0, 0];
  for (const { axis, length } of stored) canonical[axis] = length;
  return { shape: canonical, stored };
}

/** Computes, for each position along each stored axis, `place` of the canonical coordinate and its axis. */
function offsets({ shape, stored }: Axes, place: (coordinate: number, axis: number) => number): number[][] {
  return stored.map(({ axis, isFlipped, length }) =>
    Array.from({ length }, (_, at) => place(isFlipped ? (shape[axis] as number) - 1 - at : at, axis)),
  );
}

/** Computes the dense ranks of the means of all blocks and how many means differ; null for an image without a key. */
function orderOfBlocks({ voxels }: KeyedImage, axes: Axes): { ranks: Uint32Array; different: number } | null {
  const stride = [BLOCKS * BLOCKS, BLOCKS, 1];
  const [ofD, ofH, ofW] = offsets(
    axes,
    (at, axis) => Math.floor((at * BLOCKS) / (axes.shape[axis] as number)) * (stride[axis] as number),
  ) as [number[], number[], number[]];
  const sums = new Float64Array(BLOCKS ** 3);
  const counts = new Float64Array(BLOCKS ** 3);
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  let index = 0;
  for (const d of ofD) {
    for (const h of ofH) {
      for (const w of ofW) {
        const value = voxels[index++] as number;
        if (!Number.isFinite(value)) return null;
        low = Math.min(low, value);
        high = Math.max(high, value);
        const block = d + h + w;
        sums[block] = (sums[block] as number) + value;
        counts[block] = (counts[block] as number) + 1;
      }
    }
  }
  if (!(high > low)) return null;
  // An axis of fewer than eight voxels leaves blocks empty.
  const filled = [...counts.keys()].filter((block) => counts[block] !== 0);
  const means = filled.map((block) => (sums[block] as number) / (counts[block] as number));
  return ranked(means);
}

function ranked(means: number[]): { ranks: Uint32Array; different: number } {
  const order = [...means.keys()].sort((a, b) => (means[a] as number) - (means[b] as number));
  const range = (means[order.at(-1) as number] as number) - (means[order[0] as number] as number);
  const ranks = new Uint32Array(means.length);
  let rank = 0;
  for (const [place, item] of order.entries()) {
    const before = order[place - 1];
    const gap = before === undefined ? 0 : (means[item] as number) - (means[before] as number);
    if (gap > TOLERANCE * range) rank++;
    ranks[item] = rank;
  }
  return { ranks, different: rank + 1 };
}

/** Computes the dense ranks of all voxels, in canonical order. */
function orderOfVoxels({ voxels }: KeyedImage, axes: Axes): Uint32Array {
  const sorted = voxels.slice().sort();
  let count = 0;
  // The different values are collected in place. -0 and 0 are one value, as they are in every comparison.
  for (const value of sorted) if (count === 0 || value !== sorted[count - 1]) sorted[count++] = value;
  const values = sorted.subarray(0, count);
  const [, height, width] = axes.shape;
  const stride = [height * width, width, 1];
  const [ofD, ofH, ofW] = offsets(axes, (at, axis) => at * (stride[axis] as number)) as [number[], number[], number[]];
  const ranks = new Uint32Array(voxels.length);
  let index = 0;
  for (const d of ofD)
    for (const h of ofH) for (const w of ofW) ranks[d + h + w] = rankIn(values, voxels[index++] as number);
  return ranks;
}

/** Finds the index of a value that the sorted array contains. */
function rankIn(values: Float32Array, value: number): number {
  let [low, high] = [0, values.length - 1];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((values[middle] as number) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
