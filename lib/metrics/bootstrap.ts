/** Means with 95 % intervals: percentiles of the means of resampled cases. */
import { Mt19937 } from './mt19937';

export interface Unavailable {
  unavailable: string;
}

export interface Estimate {
  mean: number;
  /** 2.5th and 97.5th percentile of the resamples' means; [0, 0] for fewer than two cases. */
  ci95: [low: number, high: number];
  /** Cases. */
  n: number;
}

/** A number, or why there is none; never a zero in its place. */
export type Metric = Estimate | Unavailable;

export interface BootstrapSettings {
  seed: number;
  resamples: number;
}

/**
 * One estimate for each column of per-case values. The columns have one length and share every resample, so that they can be
 * compared; the same seed and length give the same resamples.
 */
export function bootstrap(columns: readonly Float64Array[], { seed, resamples }: BootstrapSettings): Estimate[] {
  const n = columns[0]?.length ?? 0;
  const means = columns.map(() => new Float64Array(resamples));
  if (n >= 2) {
    const random = new Mt19937(seed);
    const indices = new Uint32Array(n);
    for (let resample = 0; resample < resamples; resample++) {
      drawIndices(indices, random);
      for (const [c, column] of columns.entries()) (means[c] as Float64Array)[resample] = meanAt(column, indices);
    }
  }
  return columns.map((column, c) => {
    const sorted = (means[c] as Float64Array).sort();
    const ci95: Estimate['ci95'] = n < 2 ? [0, 0] : [percentile(sorted, 2.5), percentile(sorted, 97.5)];
    return { mean: mean(column), ci95, n };
  });
}

/** Bits under the smallest mask that holds n - 1, until they are below n; n = 1 draws nothing. */
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

/** Of sorted values, with linear interpolation. */
export function percentile(sorted: Float64Array, percent: number): number {
  const place = (percent / 100) * (sorted.length - 1);
  const below = Math.floor(place);
  const low = sorted[below] as number;
  const high = sorted[Math.min(below + 1, sorted.length - 1)] as number;
  return low + (place - below) * (high - low);
}
