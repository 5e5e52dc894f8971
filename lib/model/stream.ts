/** An async iterator over text as it is decoded. */
import type { Report, TextChunk } from './report';

/**
 * `length` means that the text was cut at the limit of new tokens. After `abort` or `error` only part of a text has
 * come.
 */
export type StreamFinish = Report['finishReason'] | 'abort' | 'error';

type Start = (signal: AbortSignal, push: (chunk: TextChunk) => void) => Promise<Report>;

/**
 * Work begins at construction. Leaving a `for await` loop early aborts it. Then `report` rejects with AbortError, and
 * `finishReason` says that only part of a text has come.
 */
export class ReportStream implements AsyncIterableIterator<TextChunk> {
  /** The finished report. */
  readonly report: Promise<Report>;
  readonly #abort = new AbortController();
  readonly #chunks: TextChunk[] = [];
  readonly #signal: AbortSignal;
  #ended = false;
  #finishReason: StreamFinish | null = null;
  #failure: { error: unknown } | null = null;
  #wake: (() => void) | null = null;

  /** @internal */
  constructor(signal: AbortSignal | undefined, start: Start) {
    const combined = signal === undefined ? this.#abort.signal : AbortSignal.any([signal, this.#abort.signal]);
    this.#signal = combined;
    this.report = start(combined, (chunk) => {
      this.#chunks.push(chunk);
      this.#notify();
    });
    // The iterator reports a failure too. A caller who reads only the iterator must not get an unhandled rejection.
    this.report.then(
      ({ finishReason }) => this.#end(finishReason, null),
      (error: unknown) => this.#end(this.#signal.aborted ? 'abort' : 'error', { error }),
    );
  }

  /** How the text ended; null while it is being written. Only after `eos` do the pieces make a whole text. */
  get finishReason(): StreamFinish | null {
    return this.#finishReason;
  }

  async next(): Promise<IteratorResult<TextChunk>> {
    for (;;) {
      const chunk = this.#chunks.shift();
      if (chunk !== undefined) return { done: false, value: chunk };
      if (this.#failure !== null) throw this.#failure.error;
      if (this.#ended) return { done: true, value: undefined };
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Stops the native work and waits until it has stopped. JavaScript calls it when a loop is left early. */
  async return(): Promise<IteratorResult<TextChunk>> {
    this.#abort.abort();
    await this.report.then(
      () => undefined,
      () => undefined,
    );
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #end(reason: StreamFinish, failure: { error: unknown } | null): void {
    this.#finishReason = reason;
    this.#failure = failure;
    this.#ended = true;
    this.#notify();
  }

  #notify(): void {
    this.#wake?.();
    this.#wake = null;
  }
}
