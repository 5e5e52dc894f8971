/** Draws numbers from the distributions of the cohort's plan. */
import type { SplitMix64 } from '../base/rng';

/** Draws from one generator, in order. */
export class Draws {
  readonly #random: SplitMix64;

  constructor(random: SplitMix64) {
    this.#random = random;
  }

  uniform(low = 0, high = 1): number {
    return low + (high - low) * this.#random.uniform();
  }

  /**
   * Returns Irwin and Hall's sum of twelve: mean 0, deviation 1, within +-6. It needs no logarithm and is therefore the
   * same everywhere.
   */
  normal(): number {
    let sum = -6;
    for (let i = 0; i < 12; i++) sum += this.#random.uniform();
    return sum;
  }

  /** Returns exp(N(log median, sigma)), cut to [low, high]. */
  logNormal(median: number, sigma: number, low: number, high: number): number {
    return Math.min(high, Math.max(low, median * Math.exp(sigma * this.normal())));
  }

  chance(probability: number): boolean {
    return this.#random.uniform() < probability;
  }

  pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.uniform(0, items.length))] as T;
  }

  /** Returns one of the names, in proportion to its weight. */
  weighted<T extends string>(weights: Readonly<Record<T, number>>): T {
    const entries = Object.entries(weights) as [T, number][];
    let rest = this.uniform(
      0,
      entries.reduce((sum, [, weight]) => sum + weight, 0),
    );
    for (const [name, weight] of entries) {
      rest -= weight;
      if (rest < 0) return name;
    }
    return (entries.at(-1) as [T, number])[0];
  }

  /** Returns a seed for the native core's generators. */
  seed(): number {
    return Number(this.#random.next() >> 11n);
  }
}
