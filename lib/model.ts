/** A loaded Brain3D: volumes in, reports out. */
import { EventEmitter } from 'node:events';
import { join } from 'node:path';
import type TypedEmitter from 'typed-emitter';
import * as v from 'valibot';
import { loadAddon } from './binding';
import {
  ADAPTER_DIR,
  type Checkpoint,
  digestCheckpoint,
  readCheckpoint,
  verifyBackbone,
  WEIGHTS_FILE,
} from './checkpoint';
import { chooseDevice, chooseDtype, deviceEntry } from './device';
import { Brain3DError, withCallerStack } from './errors';
import {
  type GenerateOptions,
  type GenerationDefaults,
  parseGenerateOptions,
  readGenerationDefaults,
  resolveSettings,
  toNativeOptions,
} from './generation';
import { type LimitOptions, limitEntries, requireGeometry, requireModality } from './input-limits';
import type { NativeAddon, NativeModel, NativeModelInfo, NativeSequence } from './native';
import { callNative } from './native-call';
import { assembleReport, type Report, type TextChunk } from './report';
import { checkStripOptions, type StripOptions, stripEntries } from './skull-strip';
import { ReportStream } from './stream';
import { requireVocabulary, TextStream, Tokenizer } from './tokenizer';
import { is, parseOptions } from './validate';
import { loadVolume, preprocess, type Volume } from './volume';

/** A path (NIfTI file or DICOM folder) or a volume, as read or already preprocessed. */
export type VolumeSource = string | Volume;

export type Brain3DEvents = {
  /** A stage of loading or of a report begins or moves on; `done` of `total` bytes or volumes. */
  progress: (progress: { stage: string; done: number; total: number }) => void;
  /** Something worth knowing that is no failure, such as a fallback to the CPU. */
  warning: (message: string) => void;
};

const LoadSchema = v.object({
  /** Checkpoint directory. */
  model: is.text(),
  ...deviceEntry,
  /** `auto` is bfloat16 on CUDA and float32 on the CPU. */
  dtype: v.optional(is.oneOf(['auto', 'float32', 'bfloat16'])),
  /** Whether LoRA is added to the weights (float32, rounded once) or computed beside them. @default true */
  mergeAdapter: v.optional(is.flag()),
  /** LibTorch directory; overrides LIBTORCH. */
  libtorch: v.optional(is.text()),
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

/** Row-major float32. */
export interface Encoding {
  /** (D, H, W) in [0, 1] */
  volume: { data: Float32Array; shape: number[] };
  /** (N, E) */
  patchTokens: { data: Float32Array; shape: number[] };
  /** (K, E) */
  pooledTokens: { data: Float32Array; shape: number[] };
  /** (K, M) */
  visualTokens: { data: Float32Array; shape: number[] };
}

export interface Score {
  /** Of the report's tokens and the closing EOS. */
  tokenIds: number[];
  /** Negative log-likelihoods in nats, one a token. */
  tokenNlls: number[];
  meanNll: number;
}

/** A volume on its way into the model. */
interface Prepared {
  source: Volume;
  input: Volume;
  readMs: number;
  preprocessMs: number;
}

export class Brain3D extends (EventEmitter as new () => TypedEmitter<Brain3DEvents>) implements AsyncDisposable {
  readonly checkpoint: Checkpoint;
  readonly info: Readonly<NativeModelInfo>;
  readonly #digest: string;
  readonly #addon: NativeAddon;
  readonly #native: NativeModel;
  readonly #tokenizer: Tokenizer;
  readonly #defaults: GenerationDefaults;
  readonly #padTokenId: number;
  readonly #inFlight = new Set<Promise<unknown>>();
  #disposed = false;

  private constructor(parts: {
    checkpoint: Checkpoint;
    digest: string;
    addon: NativeAddon;
    native: NativeModel;
    tokenizer: Tokenizer;
    defaults: GenerationDefaults;
  }) {
    super();
    this.checkpoint = parts.checkpoint;
    this.#digest = parts.digest;
    this.#addon = parts.addon;
    this.#native = parts.native;
    this.#tokenizer = parts.tokenizer;
    this.#defaults = parts.defaults;
    this.#padTokenId = parts.tokenizer.summary.named['<pad>'] ?? 0;
    this.info = Object.freeze(parts.native.info());
  }

  /**
   * Loads a checkpoint and its backbones. Strict: a missing, unexpected or mis-shaped tensor is an error, and so is a
   * backbone other than the one the checkpoint was made for.
   * @throws {Brain3DError} BRAIN3D_NOT_FOUND, BRAIN3D_CONFIG, BRAIN3D_WEIGHTS, BRAIN3D_FORMAT, BRAIN3D_UNSUPPORTED,
   *   BRAIN3D_DEVICE, BRAIN3D_OUT_OF_MEMORY, BRAIN3D_LIBTORCH, BRAIN3D_ADDON
   */
  static async load(options: LoadOptions): Promise<Brain3D> {
    const parsed = parseOptions('Brain3D.load', LoadSchema, options);
    return withCallerStack(Brain3D.load, () => Brain3D.#load(parsed));
  }

  static async #load(parsed: LoadOptions): Promise<Brain3D> {
    const addon = loadAddon({ libtorch: parsed.libtorch });
    const checkpoint = await readCheckpoint(parsed.model);
    const [digest] = await Promise.all([
      digestCheckpoint(checkpoint.dir, parsed.signal),
      verifyBackbone('vision', checkpoint.vision),
      verifyBackbone('language', checkpoint.language),
    ]);
    const defaults = await readGenerationDefaults(checkpoint.language.dir);
    const { device, warning } = chooseDevice(addon, parsed.device ?? 'auto');
    const onProgress = parsed.onProgress;
    const spec = {
      visionDir: checkpoint.vision.dir,
      languageDir: checkpoint.language.dir,
      weightsFile: join(checkpoint.dir, WEIGHTS_FILE),
      adapterDir: checkpoint.hasAdapter ? join(checkpoint.dir, ADAPTER_DIR) : '',
      mergeAdapter: parsed.mergeAdapter ?? true,
      recipe: checkpoint.recipe,
      device,
      dtype: chooseDtype(device, parsed.dtype ?? 'auto'),
    };
    const tokenizer = await Tokenizer.load(checkpoint.language.dir);
    try {
      const native = await callNative(addon, parsed.signal, (token) =>
        addon.loadModel(
          spec,
          token,
          onProgress === undefined ? null : (stage, done, total) => onProgress({ stage, done, total }),
        ),
      );
      const model = new Brain3D({ checkpoint, digest, addon, native, tokenizer, defaults });
      requireVocabulary(tokenizer, model.info.vocabSize);
      // Listeners can only be added once the caller has the model.
      if (warning !== null) setImmediate(() => model.emit('warning', warning));
      return model;
    } catch (error) {
      await tokenizer.dispose();
      throw error;
    }
  }

  /** Reports for volumes, decoded together in batches; in the order given. */
  async generate(sources: VolumeSource[], options?: GenerateOptions): Promise<Report[]>;
  /** A report for one volume. */
  async generate(source: VolumeSource, options?: GenerateOptions): Promise<Report>;
  async generate(sources: VolumeSource | VolumeSource[], options: GenerateOptions = {}): Promise<Report | Report[]> {
    const parsed = parseGenerateOptions('model.generate', options);
    return this.#call(this.generate, async () => {
      if (!Array.isArray(sources)) return (await this.#generateBatch([sources], parsed, null))[0] as Report;
      const batchSize = parsed.batchSize ?? 8;
      const reports: Report[] = [];
      for (let begin = 0; begin < sources.length; begin += batchSize) {
        reports.push(...(await this.#generateBatch(sources.slice(begin, begin + batchSize), parsed, null)));
        this.emit('progress', { stage: 'reports', done: reports.length, total: sources.length });
      }
      return reports;
    });
  }

  /**
   * Text as it is decoded: `for await (const chunk of model.stream(volume)) ...`. Leaving the loop stops the native
   * work; `stream.report` is the finished report.
   */
  stream(source: VolumeSource, options: GenerateOptions = {}): ReportStream {
    const parsed = parseGenerateOptions('model.stream', options);
    return new ReportStream(parsed.signal, (signal, push) => {
      const text = new TextStream(this.#tokenizer);
      // Ids arrive in order; decoding is asynchronous, so each waits for the one before.
      let last: Promise<void> = Promise.resolve();
      const onTokens = ([tokenId]: number[]): void => {
        if (tokenId === undefined || tokenId < 0) return;
        last = last.then(async () => push({ text: await text.push(tokenId), tokenId } satisfies TextChunk));
      };
      const run = async (): Promise<Report> => {
        let report: Report | undefined;
        try {
          [report] = await this.#generateBatch([source], { ...parsed, signal }, onTokens);
        } finally {
          await last; // also after an abort: the tokenizer must not be asked by a call that has ended
        }
        const rest = await text.finish();
        if (rest !== '') push({ text: rest, tokenId: -1 });
        return report as Report;
      };
      return this.#call(this.stream, run);
    });
  }

  /** Every stage of a volume's way through the encoder. */
  async encode(source: VolumeSource, options: EncodeOptions = {}): Promise<Encoding> {
    const parsed = parseOptions('model.encode', EncodeSchema, options);
    checkStripOptions('model.encode', parsed);
    return this.#call(this.encode, () => this.#encode(source, parsed));
  }

  /** How likely the model finds a given report: `<eos>` is appended, as in training.   (paper eq. 6) */
  async score(source: VolumeSource, report: string, options: EncodeOptions = {}): Promise<Score> {
    const parsed = parseOptions('model.score', EncodeSchema, options);
    checkStripOptions('model.score', parsed);
    if (typeof report !== 'string' || report.trim() === '')
      throw new TypeError('model.score: expected a report of at least one word');
    return this.#call(this.score, () => this.#score(source, report, parsed));
  }

  /** Refuses new calls, waits for those in flight, frees the weights. Idempotent. */
  async dispose(): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    await Promise.allSettled([...this.#inFlight]);
    this.#native.dispose();
    await this.#tokenizer.dispose();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose();
  }

  /** Every public call goes through here: refused once disposed, waited for by `dispose`, failures with its stack. */
  #call<T>(publicMethod: (...args: never[]) => unknown, run: () => Promise<T>): Promise<T> {
    const work = withCallerStack(publicMethod, async () => {
      if (this.#disposed) throw new Brain3DError('BRAIN3D_DISPOSED', 'the model was disposed; load it again');
      return run();
    });
    this.#inFlight.add(work);
    const done = (): void => void this.#inFlight.delete(work);
    work.then(done, done);
    return work;
  }

  async #prepare(
    source: VolumeSource,
    options: StripOptions & LimitOptions & { signal?: AbortSignal | undefined },
  ): Promise<Prepared> {
    const { skullStrip, skullStripCommand, signal } = options;
    if (typeof source === 'string') requireModality(source, options);
    const start = performance.now();
    const volume = typeof source === 'string' ? await loadVolume(source, { signal }) : source;
    const readMs = performance.now() - start;
    if (volume.preprocessed !== null) return { source: volume, input: volume, readMs, preprocessMs: 0 };
    requireGeometry(volume.info, options);
    const { volumeSize: size, lowerPercentile, upperPercentile } = this.checkpoint.recipe;
    const strip = { skullStrip, skullStripCommand, signal };
    const input = await preprocess(volume, { size, lowerPercentile, upperPercentile, ...strip });
    return { source: volume, input, readMs, preprocessMs: performance.now() - start - readMs };
  }

  async #generateBatch(
    sources: VolumeSource[],
    options: GenerateOptions,
    onTokens: ((ids: number[]) => void) | null,
  ): Promise<Report[]> {
    const start = performance.now();
    const prompt = options.prompt ?? this.checkpoint.prompt;
    const promptIds = await this.#tokenizer.encode(prompt, true);
    const settings = resolveSettings(options, this.#defaults);
    const prepared: Prepared[] = [];
    for (const source of sources) {
      prepared.push(await this.#prepare(source, options));
      this.emit('progress', { stage: 'volumes', done: prepared.length, total: sources.length });
    }
    const { eosTokenIds } = this.checkpoint;
    const call = { eosTokenIds, padTokenId: this.#padTokenId, cudaGraph: options.cudaGraph ?? false };
    const generation = await callNative(this.#addon, options.signal, (token) =>
      this.#native.generate(
        prepared.map((item) => item.input.native),
        promptIds,
        toNativeOptions(settings, call),
        token,
        onTokens,
      ),
    );
    const totalMs = performance.now() - start;
    const context = {
      checkpoint: this.checkpoint,
      checkpointDigest: this.#digest,
      info: this.info,
      build: this.#addon.buildInfo(),
    };
    return Promise.all(
      prepared.map(async ({ source, input, readMs, preprocessMs }, index) => {
        const { tokenIds } = generation.sequences[index] as NativeSequence;
        const text = (await this.#tokenizer.decode(tokenIds)).trim();
        const skullStrip = input.preprocessed?.skullStrip ?? null;
        const made = { text, volume: source.info, input: input.info, skullStrip, readMs, preprocessMs, totalMs };
        return assembleReport(context, { prompt, promptIds, settings }, generation, index, made);
      }),
    );
  }

  async #encode(source: VolumeSource, options: EncodeOptions): Promise<Encoding> {
    const { input } = await this.#prepare(source, options);
    const encoded = await callNative(this.#addon, options.signal, (token) => this.#native.encode(input.native, token));
    const { numPatchTokens, visionWidth, languageWidth } = encoded;
    const { numVisualTokens } = this.info;
    return {
      volume: { data: input.data(), shape: [...input.info.shape] },
      patchTokens: { data: encoded.patchTokens, shape: [numPatchTokens, visionWidth] },
      pooledTokens: { data: encoded.pooledTokens, shape: [numVisualTokens, visionWidth] },
      visualTokens: { data: encoded.visualTokens, shape: [numVisualTokens, languageWidth] },
    };
  }

  async #score(source: VolumeSource, report: string, options: EncodeOptions): Promise<Score> {
    const promptIds = await this.#tokenizer.encode(options.prompt ?? this.checkpoint.prompt, true);
    const reportIds = await this.#tokenizer.encode(report, false);
    const tokenIds = [...reportIds, this.checkpoint.eosTokenIds[0] as number];
    const { input } = await this.#prepare(source, options);
    const { nlls } = await callNative(this.#addon, options.signal, (token) =>
      this.#native.score(input.native, promptIds, tokenIds, token),
    );
    const tokenNlls = Array.from(nlls);
    return { tokenIds, tokenNlls, meanNll: tokenNlls.reduce((sum, nll) => sum + nll, 0) / tokenNlls.length };
  }
}
