/**
 * Chooses the scans of each step by pure functions of seed, epoch and step, so that a resumed run needs no generator's
 * state.
 */
import { fnv1a64, SplitMix64, shuffled } from '../base/rng';

/** Returns the order of `count` scans in an epoch (from 0), a function of the seed and the epoch alone. */
export function epochOrder(count: number, seed: number, epoch: number): number[] {
  const places = Array.from({ length: count }, (_, place) => place);
  return shuffled(places, generator(seed, `epoch/${epoch}`));
}

/** Returns the seed of a step's dropout masks: 0 .. 2^53 - 1. */
export function stepSeed(seed: number, phase: string, step: number): number {
  return Number(generator(seed, `${phase}/step/${step}`).next() >> 11n);
}

/**
 * Cuts `items` into windows of `size`. The last window holds the rest; if that has fewer than `smallest` items, it is
 * joined to the one before.
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
 * Exchanges single items of `windows`, so that each holds items of at least two kinds. Returns null where that is
 * impossible because one kind has too many items. This is a pure function. A window that has two kinds already never
 * gives away its last item of the other kind.
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

/** Groups the indices of `lengths`, longest first, by `size`, so that texts computed together have little padding. */
export function microBatches(lengths: readonly number[], size: number): number[][] {
  const places = lengths.map((_, place) => place);
  // Sorting is stable: equal lengths keep their order.
  places.sort((a, b) => (lengths[b] as number) - (lengths[a] as number));
  return windowsOf(places, size);
}

function generator(seed: number, purpose: string): SplitMix64 {
  return new SplitMix64(BigInt(seed) ^ fnv1a64(purpose));
}
