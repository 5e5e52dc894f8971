/** The model in this process. */
import { join } from 'node:path';
import type { OnProgress } from '../base/progress';
import {
  ADAPTER_DIR,
  type Checkpoint,
  digestCheckpoint,
  readCheckpoint,
  verifyBackbone,
  WEIGHTS_FILE,
} from '../checkpoint/checkpoint';
import { type LanguageFamily, padTokenId, readLanguageFamily } from '../checkpoint/families';
import { loadAddon } from '../native/binding';
import { callNative } from '../native/call';
import { chooseDevice, chooseDtype } from '../native/device';
import type { NativeAddon, NativeModel, NativeModelInfo, NativeSequence } from '../native/surface';
import { requireVocabulary, TextStream, Tokenizer } from '../tokenizer/tokenizer';
import { type LimitOptions, requireGeometry, requireModality } from '../volume/input-limits';
import type { StripOptions } from '../volume/skull-strip';
import { loadVolume, preprocess, type Volume } from '../volume/volume';
import {
  type GenerateOptions,
  type GenerationDefaults,
  readGenerationDefaults,
  resolveSettings,
  toNativeOptions,
} from './decoding';
import type { EncodeCall, Encoding, Engine, EngineSpec, Listeners, Score, VolumeSource } from './engine';
import { assembleReport, type Report } from './report';

/** A volume on its way into the model. */
interface Prepared {
  source: Volume;
  input: Volume;
  readMs: number;
  preprocessMs: number;
}

interface Parts {
  checkpoint: Checkpoint;
  digest: string;
  addon: NativeAddon;
  native: NativeModel;
  tokenizer: Tokenizer;
  family: LanguageFamily;
  defaults: GenerationDefaults;
  warning: string | null;
}

export class LocalEngine implements Engine {
  readonly checkpoint: Checkpoint;
  readonly info: Readonly<NativeModelInfo>;
  readonly warning: string | null;
  readonly pid = process.pid;
  readonly #digest: string;
  readonly #addon: NativeAddon;
  readonly #native: NativeModel;
  readonly #tokenizer: Tokenizer;
  readonly #defaults: GenerationDefaults;
  readonly #padTokenId: number;

  private constructor(parts: Parts) {
    this.checkpoint = parts.checkpoint;
    this.warning = parts.warning;
    this.#digest = parts.digest;
    this.#addon = parts.addon;
    this.#native = parts.native;
    this.#tokenizer = parts.tokenizer;
    this.#defaults = parts.defaults;
    this.#padTokenId = padTokenId(parts.family, parts.tokenizer);
    this.info = Object.freeze(parts.native.info());
  }

  static async load(
    spec: EngineSpec,
    signal: AbortSignal | undefined,
    onProgress: OnProgress | undefined,
  ): Promise<LocalEngine> {
    const addon = loadAddon({ libtorch: spec.libtorch });
    const checkpoint = await readCheckpoint(spec.model);
    const [digest] = await Promise.all([
      digestCheckpoint(checkpoint.dir, signal),
      verifyBackbone('vision', checkpoint.vision),
      verifyBackbone('language', checkpoint.language),
    ]);
    const family = await readLanguageFamily(checkpoint.language.dir);
    const defaults = await readGenerationDefaults(checkpoint.language.dir);
    const { device, warning } = chooseDevice(addon, spec.device);
    const nativeSpec = {
      visionDir: checkpoint.vision.dir,
      languageDir: checkpoint.language.dir,
      weightsFile: join(checkpoint.dir, WEIGHTS_FILE),
      adapterDir: checkpoint.hasAdapter ? join(checkpoint.dir, ADAPTER_DIR) : '',
      mergeAdapter: spec.mergeAdapter,
      recipe: checkpoint.recipe,
      device,
      dtype: chooseDtype(device, spec.dtype),
    };
    const tokenizer = await Tokenizer.load(checkpoint.language.dir, { signal });
    try {
      const native = await callNative(addon, signal, (token) =>
        addon.loadModel(
          nativeSpec,
          token,
          onProgress === undefined ? null : (stage, done, total) => onProgress({ stage, done, total }),
        ),
      );
      const engine = new LocalEngine({ checkpoint, digest, addon, native, tokenizer, family, defaults, warning });
      requireVocabulary(tokenizer, engine.info.vocabSize, family.unusedRows);
      return engine;
    } catch (error) {
      await tokenizer.dispose();
      throw error;
    }
  }

  async generate(sources: VolumeSource[], options: GenerateOptions, listeners: Listeners): Promise<Report[]> {
    const { onChunk, onProgress } = listeners;
    if (onChunk === undefined) return this.#generate(sources, options, onProgress, null);
    const text = new TextStream(this.#tokenizer);
    // The tokens arrive in order, but turning them into text is asynchronous, so each waits for the one before.
    let last: Promise<void> = Promise.resolve();
    const onTokens = ([tokenId]: number[]): void => {
      if (tokenId === undefined || tokenId < 0) return;
      last = last.then(async () => onChunk({ text: await text.push(tokenId), tokenId }));
    };
    let reports: Report[];
    try {
      reports = await this.#generate(sources, options, onProgress, onTokens);
    } finally {
      await last; // after an abort too: a call that has ended must not ask the tokenizer
    }
    const rest = await text.finish();
    if (rest !== '') onChunk({ text: rest, tokenId: -1 });
    return reports;
  }

  async encode(source: VolumeSource, options: EncodeCall): Promise<Encoding> {
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

  async score(source: VolumeSource, report: string, options: EncodeCall): Promise<Score> {
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

  async dispose(): Promise<void> {
    this.#native.dispose();
    await this.#tokenizer.dispose();
  }

  async #prepare(
    source: VolumeSource,
    options: StripOptions & LimitOptions & { signal?: AbortSignal | undefined },
  ): Promise<Prepared> {
    const { skullStrip, skullStripCommand, signal } = options;
    if (typeof source === 'string') await requireModality(source, options);
    const { recipe } = this.checkpoint;
    const start = performance.now();
    const volume = typeof source === 'string' ? await loadVolume(source, { signal }) : source;
    const readMs = performance.now() - start;
    await requireModality(volume, options);
    if (volume.preprocessed !== null) return { source: volume, input: volume, readMs, preprocessMs: 0 };
    requireGeometry(volume.info, options);
    const { volumeSize: size, lowerPercentile, upperPercentile } = recipe;
    const strip = { skullStrip, skullStripCommand };
    const input = await preprocess(volume, { size, lowerPercentile, upperPercentile, ...strip, signal });
    return { source: volume, input, readMs, preprocessMs: performance.now() - start - readMs };
  }

  async #generate(
    sources: VolumeSource[],
    options: GenerateOptions,
    onProgress: OnProgress,
    onTokens: ((ids: number[]) => void) | null,
  ): Promise<Report[]> {
    const start = performance.now();
    const prompt = options.prompt ?? this.checkpoint.prompt;
    const promptIds = await this.#tokenizer.encode(prompt, true);
    const settings = resolveSettings(options, this.#defaults);
    const prepared: Prepared[] = [];
    for (const source of sources) {
      prepared.push(await this.#prepare(source, options));
      onProgress({ stage: 'volumes', done: prepared.length, total: sources.length });
    }
    const { eosTokenIds } = this.checkpoint;
    const call = { eosTokenIds, padTokenId: this.#padTokenId, cudaGraph: options.cudaGraph ?? true };
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
}
