/** A loaded Brain3D, which turns volumes into reports. */
import { EventEmitter } from 'node:events';
import type TypedEmitter from 'typed-emitter';
import * as v from 'valibot';
import { CallQueue } from '../base/call-queue';
import { Brain3DError, withCallerStack } from '../base/errors';
import type { OnProgress } from '../base/progress';
import { is, parseOptions } from '../base/validate';
import type { Checkpoint } from '../checkpoint/checkpoint';
import { deviceEntry, dtypeEntry } from '../native/device';
import type { NativeModelInfo } from '../native/surface';
import { limitEntries } from '../volume/input-limits';
import { checkStripOptions, stripEntries } from '../volume/skull-strip';
import { DEFAULT_BATCH_SIZE, type GenerateOptions, parseGenerateOptions } from './decoding';
import type { Encoding, Engine, Score, VolumeSource } from './engine';
import { IsolatedEngine } from './isolated-engine';
import { LocalEngine } from './local-engine';
import type { Report } from './report';
import { ReportStream } from './stream';

export type { Encoding, Score, VolumeSource } from './engine';

export type Brain3DEvents = {
  /** Reports that a stage of loading or of a report begins or moves on; `done` of `total` bytes or volumes. */
  progress: OnProgress;
  /** Reports something worth knowing that is no failure, such as a fallback to the CPU. */
  warning: (message: string) => void;
};

const LoadSchema = v.object({
  /** The checkpoint directory. */
  model: is.text(),
  ...deviceEntry,
  ...dtypeEntry,
  /** Whether LoRA is added to the weights (float32, rounded once) or computed beside them. @default true */
  mergeAdapter: v.optional(is.flag()),
  /** The LibTorch directory; overrides LIBTORCH. */
  libtorch: v.optional(is.text()),
  /**
   * Runs the model in a process of its own. It may die without this process and is then started again. @default false
   */
  isolate: v.optional(is.flag()),
  /** The number of calls that may wait for the one that runs. @default 64 */
  maxQueue: v.optional(is.integer(0, 1 << 20)),
  signal: v.optional(is.signal()),
  onProgress: v.optional(is.callback<Brain3DEvents['progress']>()),
});
export type LoadOptions = v.InferInput<typeof LoadSchema>;

const EncodeSchema = v.object({
  prompt: v.optional(is.text()),
  ...limitEntries,
  ...stripEntries,
  signal: v.optional(is.signal()),
});
export type EncodeOptions = v.InferInput<typeof EncodeSchema>;

export class Brain3D extends (EventEmitter as new () => TypedEmitter<Brain3DEvents>) implements AsyncDisposable {
  readonly checkpoint: Checkpoint;
  readonly info: Readonly<NativeModelInfo>;
  readonly #engine: Engine;
  readonly #queue: CallQueue;
  readonly #inFlight = new Set<Promise<unknown>>();
  #disposed = false;

  private constructor(engine: Engine, maxQueue: number) {
    super();
    this.#engine = engine;
    this.#queue = new CallQueue(maxQueue);
    this.checkpoint = engine.checkpoint;
    this.info = engine.info;
  }

  /**
   * Loads a checkpoint and its backbones. Loading is strict: a missing, unexpected or mis-shaped tensor is an error,
   * and so is a backbone other than the one the checkpoint was made for.
   * @throws {Brain3DError} BRAIN3D_NOT_FOUND, BRAIN3D_CONFIG, BRAIN3D_WEIGHTS, BRAIN3D_FORMAT, BRAIN3D_UNSUPPORTED,
   *   BRAIN3D_DEVICE, BRAIN3D_OUT_OF_MEMORY, BRAIN3D_LIBTORCH, BRAIN3D_ADDON; with `isolate` BRAIN3D_WORKER_LOST
   */
  static async load(options: LoadOptions): Promise<Brain3D> {
    const { isolate, maxQueue, signal, onProgress, ...given } = parseOptions('Brain3D.load', LoadSchema, options);
    const { model: directory, device = 'auto', dtype = 'auto', mergeAdapter = true, libtorch } = given;
    const spec = { model: directory, device, dtype, mergeAdapter, libtorch };
    // Listeners can only be added once the caller has the model.
    const warn = (message: string): void => void setImmediate(() => model.emit('warning', message));
    const engine = await withCallerStack<Engine>(Brain3D.load, () =>
      isolate ? IsolatedEngine.load(spec, signal, onProgress, warn) : LocalEngine.load(spec, signal, onProgress),
    );
    const model = new Brain3D(engine, maxQueue ?? 64);
    if (engine.warning !== null) warn(engine.warning);
    return model;
  }

  /** The process that holds the model: this one, or with `isolate` its child; null while that is gone. */
  get pid(): number | null {
    return this.#engine.pid;
  }

  /** Writes reports for volumes, which are decoded together in batches. The reports are in the order of the volumes. */
  async generate(sources: VolumeSource[], options?: GenerateOptions): Promise<Report[]>;
  /** Writes a report for one volume. */
  async generate(source: VolumeSource, options?: GenerateOptions): Promise<Report>;
  async generate(sources: VolumeSource | VolumeSource[], options: GenerateOptions = {}): Promise<Report | Report[]> {
    const parsed = parseGenerateOptions('model.generate', options);
    const onProgress: OnProgress = (progress) => void this.emit('progress', progress);
    return this.#call(this.generate, parsed.signal, async () => {
      if (!Array.isArray(sources)) return (await this.#engine.generate([sources], parsed, { onProgress }))[0] as Report;
      const batchSize = parsed.batchSize ?? DEFAULT_BATCH_SIZE;
      const reports: Report[] = [];
      for (let begin = 0; begin < sources.length; begin += batchSize) {
        reports.push(...(await this.#engine.generate(sources.slice(begin, begin + batchSize), parsed, { onProgress })));
        onProgress({ stage: 'reports', done: reports.length, total: sources.length });
      }
      return reports;
    });
  }

  /**
   * Yields the text as it is decoded: `for await (const chunk of model.stream(volume)) ...`. Leaving the loop stops the
   * native work; `stream.report` is the finished report.
   */
  stream(source: VolumeSource, options: GenerateOptions = {}): ReportStream {
    const parsed = parseGenerateOptions('model.stream', options);
    const onProgress: OnProgress = (progress) => void this.emit('progress', progress);
    return new ReportStream(parsed.signal, (signal, onChunk) =>
      this.#call(this.stream, signal, async () => {
        const [report] = await this.#engine.generate([source], { ...parsed, signal }, { onProgress, onChunk });
        return report as Report;
      }),
    );
  }

  /** Returns every stage of a volume's way through the encoder. */
  async encode(source: VolumeSource, options: EncodeOptions = {}): Promise<Encoding> {
    const parsed = parseOptions('model.encode', EncodeSchema, options);
    checkStripOptions('model.encode', parsed);
    return this.#call(this.encode, parsed.signal, () => this.#engine.encode(source, parsed));
  }

  /** Returns how likely the model finds a given report. `<eos>` is appended to it, as in training.   (paper eq. 6) */
  async score(source: VolumeSource, report: string, options: EncodeOptions = {}): Promise<Score> {
    const parsed = parseOptions('model.score', EncodeSchema, options);
    checkStripOptions('model.score', parsed);
    if (typeof report !== 'string' || report.trim() === '')
      throw new TypeError('model.score: expected a report of at least one word');
    return this.#call(this.score, parsed.signal, () => this.#engine.score(source, report, parsed));
  }

  /** Refuses new calls, waits for those in flight and frees the weights. Calling it again does nothing. */
  async dispose(): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    await Promise.allSettled([...this.#inFlight]);
    await this.#engine.dispose();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose();
  }

  /**
   * Runs a public call in its turn. The call is refused once the model is disposed of, `dispose` waits for it, and its
   * errors carry the caller's stack.
   */
  #call<T>(
    publicMethod: (...args: never[]) => unknown,
    signal: AbortSignal | undefined,
    run: () => Promise<T>,
  ): Promise<T> {
    const work = withCallerStack(publicMethod, async () => {
      if (this.#disposed) throw new Brain3DError('BRAIN3D_DISPOSED', 'the model was disposed; load it again');
      return this.#queue.run(signal, run);
    });
    this.#inFlight.add(work);
    const done = (): void => void this.#inFlight.delete(work);
    work.then(done, done);
    return work;
  }
}
