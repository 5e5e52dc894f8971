/** Computes means with 95 % intervals, which are percentiles of the means of resampled cases. */
import { Mt19937 } from './mt19937';

export interface Unavailable {
  unavailable: string;
}

export interface Estimate {
  mean: number;
  /** The 2.5th and 97.5th percentile of the resamples' means; [0, 0] for fewer than two cases. */
  ci95: [low: number, high: number];
  /** The number of cases. */
  n: number;
}

/** A number, or the reason why there is none. A missing number is never shown as zero. */
export type Metric = Estimate | Unavailable;

export interface BootstrapSettings {
  seed: number;
  resamples: number;
}

/**
 * Returns one estimate for each column of per-case values. The columns have one length and share every resample, so
 * that they can be compared; the same seed and length give the same resamples.
 */
export function bootstrap(columns: readonly Float64Array[], settings: BootstrapSettings): Estimate[] {
  const means = resampledMeans(columns, settings);
  return columns.map((column, c) => estimate(column, means[c] as Float64Array));
}

function estimate(column: Float64Array, sortedMeans: Float64Array): Estimate {
  const n = column.length;
  const ci95: Estimate['ci95'] = n < 2 ? [0, 0] : [percentile(sortedMeans, 2.5), percentile(sortedMeans, 97.5)];
  return { mean: mean(column), ci95, n };
}

/** The difference of the means of two rows of values over the same cases. */
export interface Difference {
  /** The mean of the first minus the mean of the second. */
  difference: number;
  ci95: [low: number, high: number];
  /** The two-sided p-value: how often the resampled difference lies on the other side of 0. */
  p: number;
  /** The number of cases. */
  n: number;
}

/**
 * The paired bootstrap. Each resample draws cases, the same for both rows, so the difference of the means is the mean
 * of the cases' differences. p = min(1, 2 min(#(d <= 0) + 1, #(d >= 0) + 1) / (resamples + 1)); it is never 0, and 1
 * where the rows are equal.
 * @param pairs of columns; all have one length, of at least 2
 */
export function pairedBootstrap(
  pairs: readonly (readonly [Float64Array, Float64Array])[],
  settings: BootstrapSettings,
): Difference[] {
  const columns = pairs.map(([first, second]) => first.map((value, i) => value - (second[i] as number)));
  const means = resampledMeans(columns, settings);
  return columns.map((column, c) => {
    const sorted = means[c] as Float64Array;
    const { mean: difference, ci95, n } = estimate(column, sorted);
    const count = (isCounted: (value: number) => boolean) => sorted.filter(isCounted).length;
    const beyond = 1 + Math.min(count(isAtMostZero), count(isAtLeastZero));
    return { difference, ci95, p: Math.min(1, (2 * beyond) / (settings.resamples + 1)), n };
  });
}

/**
 * The distance from 0 up to which a difference counts as 0. Equal sums added in another order differ in the last bits.
 */
const ROUNDING = 1e-12;
const isAtMostZero = (value: number): boolean => value <= ROUNDING;
const isAtLeastZero = (value: number): boolean => value >= -ROUNDING;

/** Returns the means of each column over the same resampled cases, sorted; zeros for fewer than two cases. */
function resampledMeans(columns: readonly Float64Array[], { seed, resamples }: BootstrapSettings): Float64Array[] {
  const n = columns[0]?.length ?? 0;
  const means = columns.map(() => new Float64Array(resamples));
  if (n < 2) return means;
  const random = new Mt19937(seed);
  const indices = new Uint32Array(n);
  for (let resample = 0; resample < resamples; resample++) {
    drawIndices(indices, random);
    for (const [c, column] of columns.entries()) (means[c] as Float64Array)[resample] = meanAt(column, indices);
  }
  return means.map((values) => values.sort());
}

/**
 * Draws each index as bits under the smallest mask that holds n - 1, again and again until it is below n. For n = 1 it
 * draws nothing.
 */
export function drawIndices(indices: Uint32Array, random: Mt19937): void {
  const last = indices.length - 1;
  const mask = last === 0 ? 0 : 2 ** (32 - Math.clz32(last)) - 1;
  for (let i = 0; i <= last; i++) {
    let index = 0;
    if (mask !== 0)
      do index = (random.next() & mask) >>> 0;
      while (index > last);
    indices[i] = index;
  }
}

export function mean(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function meanAt(values: Float64Array, indices: Uint32Array): number {
  let sum = 0;
  for (let i = 0; i < indices.length; i++) sum += values[indices[i] as number] as number;
  return sum / indices.length;
}

/** Returns a percentile of sorted values, with linear interpolation. */
export function percentile(sorted: Float64Array, percent: number): number {
  const place = (percent / 100) * (sorted.length - 1);
  const below = Math.floor(place);
  const low = sorted[below] as number;
  const high = sorted[Math.min(below + 1, sorted.length - 1)] as number;
  return low + (place - below) * (high - low);
}
