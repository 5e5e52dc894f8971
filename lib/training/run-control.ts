/** Stops a run between two steps, for good or for a while. */

interface Deferred {
  promise: Promise<void>;
  resolve: () => void;
}

export class RunControl {
  readonly #controller = new AbortController();
  /** Set while a pause is wanted. `reached` resolves when the run stands still, `over` when it goes on. */
  #pause: { reached: Deferred; over: Deferred } | null = null;

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  abort(reason: unknown): void {
    this.#controller.abort(reason);
  }

  /** Resolves when the run stands still or has ended. */
  pause(): Promise<void> {
    this.#pause ??= { reached: deferred(), over: deferred() };
    return this.#pause.reached.promise;
  }

  resume(): void {
    this.#pause?.reached.resolve();
    this.#pause?.over.resolve();
    this.#pause = null;
  }

  /** Called between two steps. It calls `save` and waits while a pause is wanted, and throws once aborted. */
  async boundary(save: () => Promise<void>): Promise<void> {
    while (this.#pause !== null && !this.signal.aborted) {
      const { reached, over } = this.#pause;
      await save();
      reached.resolve();
      this.signal.addEventListener('abort', over.resolve);
      await over.promise;
      this.signal.removeEventListener('abort', over.resolve);
    }
    this.signal.throwIfAborted();
  }
}

function deferred(): Deferred {
  let resolve: () => void = () => undefined;
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
