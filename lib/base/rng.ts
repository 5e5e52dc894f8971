/**
 * The native core's seeded generator (`native/base/rng.h`) and a stable hash, which give the same numbers on every
 * machine.
 */

const MASK = (1n << 64n) - 1n;

/** splitmix64 (Steele, Lea, Flood 2014). It gives the same numbers as the native core's. */
export class SplitMix64 {
  #state: bigint;

  /** @param seed its lowest 64 bits count */
  constructor(seed: number | bigint) {
    this.#state = BigInt(seed) & MASK;
  }

  /** Returns 64 random bits. */
  next(): bigint {
    this.#state = (this.#state + 0x9e3779b97f4a7c15n) & MASK;
    let z = this.#state;
    z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & MASK;
    z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & MASK;
    return z ^ (z >> 31n);
  }

  /** Returns a number in [0, 1) with 53 random bits. */
  uniform(): number {
    return Number(this.next() >> 11n) * 2 ** -53;
  }
}

/** Returns a shuffled copy (Fisher and Yates, from the end); each place takes one number. */
export function shuffled<T>(items: readonly T[], random: SplitMix64): T[] {
  const out = [...items];
  for (let last = out.length - 1; last > 0; last--) {
    const other = Math.floor(random.uniform() * (last + 1));
    [out[last], out[other]] = [out[other] as T, out[last] as T];
  }
  return out;
}

/** Returns the FNV-1a hash (64 bits) of the text's UTF-8 bytes. */
export function fnv1a64(text: string): bigint {
  let hash = 0xcbf29ce484222325n;
  for (const byte of Buffer.from(text, 'utf8')) hash = ((hash ^ BigInt(byte)) * 0x100000001b3n) & MASK;
  return hash;
}
