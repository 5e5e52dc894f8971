/** Warns beforehand if a run has no room for its files, since a long run should not find out at its end. */
import { readdir, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';

/** The sizes in bytes of what a run writes again and again. */
export interface Sizes {
  /** The size of a saved state: the trained parameters and their two moments, in float32. */
  state: number;
  /** The size of a model: the weights that it began with, and the adapter. */
  model: number;
}

/**
 * The number of saved states on the disk at once. Two are kept while the next one is written, and so are the models that
 * they call best.
 */
const AT_ONCE = 3;

export class FreeSpace {
  readonly #dir: string;
  readonly #sizes: Sizes;
  readonly #warn: (message: string) => void;
  #isShort = false;

  /** @param dir of the phase's run */
  constructor(dir: string, sizes: Sizes, warn: (message: string) => void) {
    this.#dir = dir;
    this.#sizes = sizes;
    this.#warn = warn;
  }

  /**
   * Warns if there is no room for everything that the run will hold at a time. Quotas and other programs' files are not
   * foreseen.
   */
  async checkWhole(): Promise<void> {
    const { state, model } = this.#sizes;
    const whole = AT_ONCE * (state + model);
    const [free, present] = await Promise.all([freeBytes(this.#dir), sizeOf(this.#dir)]);
    if (free === null || free + present >= whole) return;
    this.#warn(
      `the disk has ${mebibytes(free)} free, and the run may need ${mebibytes(whole - present)} more: ${AT_ONCE} saved states ` +
        `of ${mebibytes(state)} and ${AT_ONCE} models of ${mebibytes(model)} at a time; make room before it is full`,
    );
  }

  /** Warns if the next file to be written has no room. It warns once, until there is room again. */
  async check(what: string, kind: keyof Sizes): Promise<void> {
    const free = await freeBytes(this.#dir);
    const needed = this.#sizes[kind];
    const isShort = free !== null && free < needed;
    if (isShort && !this.#isShort)
      this.#warn(`the disk has ${mebibytes(free)} free, and ${what} needs ${mebibytes(needed)}; make room`);
    this.#isShort = isShort;
  }
}

/** The free bytes for this user; null where the system does not say. */
async function freeBytes(dir: string): Promise<number | null> {
  return statfs(dir).then(
    ({ bavail, bsize }) => bavail * bsize,
    () => null, // without a number there is only no warning
  );
}

/** The size in bytes of all files below `dir`. */
async function sizeOf(dir: string): Promise<number> {
  const entries = await readdir(dir, { withFileTypes: true, recursive: true });
  const files = entries.filter((entry) => entry.isFile());
  const sizes = await Promise.all(files.map((file) => stat(join(file.parentPath ?? file.path, file.name))));
  return sizes.reduce((sum, { size }) => sum + size, 0);
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
