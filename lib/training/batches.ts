/** Which scans a step sees: pure functions of seed, epoch and step, so that a resumed run needs no generator's state. */
import { fnv1a64, SplitMix64, shuffled } from '../base/rng';

/** The order of `count` scans in an epoch (from 0): a function of the seed and the epoch alone. */
export function epochOrder(count: number, seed: number, epoch: number): number[] {
  const places = Array.from({ length: count }, (_, place) => place);
  return shuffled(places, generator(seed, `epoch/${epoch}`));
}

/** Of the dropout masks of a step: 0 .. 2^53 - 1. */
export function stepSeed(seed: number, phase: string, step: number): number {
  return Number(generator(seed, `${phase}/step/${step}`).next() >> 11n);
}

/**
 * `items` cut into windows of `size`. The last one holds what is left; if that is fewer than `smallest`, it is joined to
 * the one before.
 */
export function windowsOf<T>(items: readonly T[], size: number, smallest = 1): T[][] {
  const windows: T[][] = [];
  for (let begin = 0; begin < items.length; begin += size) windows.push(items.slice(begin, begin + size));
  const last = windows.at(-1);
  const before = windows.at(-2);
  if (last === undefined || before === undefined || last.length >= smallest) return windows;
  return [...windows.slice(0, -2), [...before, ...last]];
}

/**
 * `windows` with single items exchanged, so that each holds items of at least two kinds. Null where that cannot be: some
 * kind has so many items that not every window gets one of another. A pure function, and none of the windows that have
 * two kinds already gives away its last of the other.
 */
export function mixKinds<T>(windows: readonly T[][], kindOf: (item: T) => unknown): T[][] | null {
  const mixed = windows.map((window) => [...window]);
  for (const window of mixed) {
    const kind = kindOf(window[0] as T);
    const isOther = (item: T): boolean => kindOf(item) !== kind;
    if (window.some(isOther)) continue;
    const giver = mixed.find((other) => other.filter(isOther).length >= 2);
    if (giver === undefined) return null;
    const place = giver.findIndex(isOther);
    [window[0], giver[place]] = [giver[place] as T, window[0] as T];
  }
  return mixed;
}

/** Indices of `lengths`, longest first, in groups of `size`: what is computed together has little padding. */
export function microBatches(lengths: readonly number[], size: number): number[][] {
  const places = lengths.map((_, place) => place);
  // Sorting is stable: equal lengths keep their order.
  places.sort((a, b) => (lengths[b] as number) - (lengths[a] as number));
  return windowsOf(places, size);
}

function generator(seed: number, purpose: string): SplitMix64 {
  return new SplitMix64(BigInt(seed) ^ fnv1a64(purpose));
}
