/** Runs calls one at a time, first come first served, and limits how many wait. */
import { Brain3DError } from './errors';

interface Waiting {
  /** Called when its turn has come. */
  begin: () => void;
}

export class CallQueue {
  readonly #limit: number;
  readonly #waiting: Waiting[] = [];
  #isBusy = false;

  /** @param limit calls that may wait, besides the one that runs */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /**
   * Runs `work` when its turn comes. An abort during the wait gives up its place and rejects at once, with the signal's
   * reason. Once `work` runs, it handles the signal itself.
   * @throws {Brain3DError} BRAIN3D_BUSY if too many are waiting
   */
  async run<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    signal?.throwIfAborted();
    if (this.#isBusy) await this.#turn(signal);
    this.#isBusy = true;
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      // The turn is handed over, not freed, so that a new caller cannot overtake.
      if (next === undefined) this.#isBusy = false;
      else next.begin();
    }
  }

  #turn(signal: AbortSignal | undefined): Promise<void> {
    if (this.#waiting.length >= this.#limit) {
      throw new Brain3DError(
        'BRAIN3D_BUSY',
        `expected at most ${this.#limit} calls waiting for this model, got one more; try again when one has ended, or ` +
          'load the model with a larger maxQueue',
      );
    }
    return new Promise((resolve, reject) => {
      const giveUp = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
        reject(signal?.reason);
      };
      const waiting: Waiting = {
        begin: () => {
          signal?.removeEventListener('abort', giveUp);
          resolve();
        },
      };
      this.#waiting.push(waiting);
      signal?.addEventListener('abort', giveUp, { once: true });
    });
  }
}
