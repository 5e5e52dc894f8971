/**
 * The whole native surface, typed in one place. Nothing else in `lib/` knows the addon's shape, and only
 * `binding.ts` loads it. Arguments are already validated: the addon checks types, not policy.
 *
 * Every method that returns a promise computes on a thread of the addon's own and takes a `NativeCancelToken`;
 * a failure rejects with a `NativeFailure`. Typed arrays going in are held (not copied) until the promise settles
 * and must not be written meanwhile; typed arrays coming out are owned by JavaScript.
 */
export interface NativeCancelToken {
  cancel(): void;
}

export interface NativeBuildInfo {
  version: string;
  /** The LibTorch the addon was compiled against, such as `2.13.0`. */
  torchVersion: string;
  /** The CUDA toolkit of the kernels, such as `13.0`; null for a CPU build. */
  cudaVersion: string | null;
  napiVersion: number;
  compiler: string;
  debug: boolean;
}

export interface NativeDeviceInfo {
  /** `cuda:0` */
  name: string;
  description: string;
  totalBytes: number;
  freeBytes: number;
  /** `9.0` */
  capability: string;
}

export interface NativeSystemInfo {
  cpuThreads: number;
  /** The bytes of resident memory of this process. */
  residentBytes: number;
  peakResidentBytes: number;
  /**
   * The bytes of freed tensors and volumes that are kept for the next call, 256 MiB at most; part of `residentBytes`.
   */
  cachedBytes: number;
  /**
   * The bytes of large tensors and volumes in use, which malloc does not count. The written part is in `residentBytes`.
   */
  largeBytes: number;
  cudaDevices: NativeDeviceInfo[];
}

/** Row-major 4 x 4, voxel (i, j, k) to RAS mm. */
export type NativeAffine = number[];

export interface NativeVolumeInfo {
  /** The voxels along (D, H, W); for a volume as stored, the reverse of NIfTI's (i, j, k). */
  shape: [number, number, number];
  /** The matrix that maps (i, j, k) = (w, h, d) to RAS mm. */
  affine: NativeAffine;
  spacingMm: [number, number, number];
  /** Axis codes of (i, j, k), such as `LPS`; for oblique volumes those of the nearest axes. */
  orientation: string;
  /** The angle in degrees between the voxel axes and the nearest patient axes; 0 if aligned. */
  obliqueDegrees: number;
  /** `sform`, `qform`, `stated` (by the caller) or `array`. */
  affineSource: string;
  datatype: string;
  warnings: string[];
}

export interface NativeVolume {
  info(): NativeVolumeInfo;
  /** Returns a copy of the voxels, row-major (D, H, W), float32. */
  data(): Float32Array;
  countNonZero(): number;
}

/** The type in which a file stores a volume's voxels. */
export type NativeDatatype = 'float32' | 'int16' | 'uint8';

export interface NativeReadOptions {
  /** The index of the volume in a 4D file; -1 if not given. */
  volumeIndex: number;
  /** Axis codes such as `RAS`, for a file whose affine says nothing; empty if not given. */
  orientation: string;
  /** `sform`, `qform` or empty. */
  preferAffine: string;
  /** Whether `orientation` wins over the file's affine. */
  overrideOrientation: boolean;
}

/** The geometry of a cached volume, which its sidecar holds and its file does not. */
export interface NativeCachedGeometry {
  affine: NativeAffine;
  affineSource: string;
  datatype: string;
  warnings: string[];
}

export interface NativePreprocessOptions {
  /** (D, H, W) */
  size: [number, number, number];
  lowerPercentile: number;
  upperPercentile: number;
  /** The mask of the brain, on the volume's grid; null keeps all voxels. */
  mask: NativeVolume | null;
}

export interface NativeBrainMask {
  /**
   * 0 or 1, with the axes, shape and affine of the volume; null where the whole volume is kept, which only `none` does.
   */
  mask: NativeVolume | null;
  method: 'none' | 'already-stripped' | 'bet' | 'command';
  /** A clause that gives the reason; empty where there was nothing to decide. */
  reason: string;
  /** 0 with `none`. */
  brainVolumeMl: number;
  warnings: string[];
}

export interface NativeRecipe {
  /** `sum` | `mean` */
  channelCollapse: string;
  /** `learned_depth_pretrained_spatial` | `pretrained_spatial` | `linear` */
  position: string;
  /** The patches that a patch attends to: `volume` | `slice` */
  attention: string;
  /** `sequence` | `grid` */
  compression: string;
  numVisualTokens: number;
  /** (Dp, Hp, Wp) bins of the `grid` compression; their product is `numVisualTokens`. */
  compressionGrid: [number, number, number];
  depthKernel: number;
  depthStride: number;
  depthPadding: number;
  /** (D, H, W) of a preprocessed volume. */
  volumeSize: [number, number, number];
}

export interface NativeModelSpec {
  visionDir: string;
  languageDir: string;
  /** The path of `brain3d.safetensors`. */
  weightsFile: string;
  /** A PEFT directory, or empty. */
  adapterDir: string;
  mergeAdapter: boolean;
  recipe: NativeRecipe;
  device: string;
  dtype: string;
}

export interface NativeModelInfo {
  device: string;
  dtype: string;
  parameters: { vision: number; language: number; projector: number; adapter: number };
  /** The bytes of all weights as held in memory. */
  weightBytes: number;
  vocabSize: number;
  maxPositions: number;
  languageWidth: number;
  visionWidth: number;
  numPatchTokens: number;
  numVisualTokens: number;
  warnings: string[];
}

export interface NativeEncoding {
  /** (N, E) */
  patchTokens: Float32Array;
  /** (K, E) */
  pooledTokens: Float32Array;
  /** (K, M), after the projector and the gate */
  visualTokens: Float32Array;
  numPatchTokens: number;
  visionWidth: number;
  languageWidth: number;
  encodeMs: number;
}

export interface NativeGenerateOptions {
  maxNewTokens: number;
  minNewTokens: number;
  /** Greedy decoding ignores temperature, top-k, top-p and the seed. */
  greedy: boolean;
  temperature: number;
  /** 0 turns it off. */
  topK: number;
  /** 1 turns it off. */
  topP: number;
  /** 1 turns it off. */
  repetitionPenalty: number;
  /** 0 turns it off. */
  noRepeatNgramSize: number;
  /** 0 .. 2^53 - 1 */
  seed: number;
  eosTokenIds: number[];
  padTokenId: number;
  /** Replays captured CUDA graphs; no effect on the CPU. */
  cudaGraph: boolean;
}

export interface NativeSequence {
  /** The new tokens only, with the closing EOS. */
  tokenIds: number[];
  finishReason: 'eos' | 'length';
}

export interface NativeGeneration {
  sequences: NativeSequence[];
  encodeMs: number;
  prefillMs: number;
  decodeMs: number;
  /** The peak memory on the device in bytes (CUDA only; 0 on CPU). */
  peakDeviceBytes: number;
}

export interface NativeModel {
  info(): NativeModelInfo;
  encode(volume: NativeVolume, token: NativeCancelToken): Promise<NativeEncoding>;
  /** `onTokens` receives, per decoded step, one id for each sequence that was still open, else -1. */
  generate(
    volumes: NativeVolume[],
    promptIds: number[],
    options: NativeGenerateOptions,
    token: NativeCancelToken,
    onTokens: ((ids: number[]) => void) | null,
  ): Promise<NativeGeneration>;
  /** Returns the negative log-likelihoods (nats) of `reportIds` given the volume and the prompt. */
  score(
    volume: NativeVolume,
    promptIds: number[],
    reportIds: number[],
    token: NativeCancelToken,
  ): Promise<{ nlls: Float32Array; encodeMs: number; scoreMs: number }>;
  /** Gives up this handle. Work in flight keeps what it needs and settles. Calling it again does nothing. */
  dispose(): void;
}

export interface NativeTextEncoderInfo {
  device: string;
  layer: number;
  vocabSize: number;
  /** The largest number of tokens in a text, the special ones included. */
  maxTokens: number;
  bosTokenId: number;
  eosTokenId: number;
}

export interface NativeTextEncoder {
  info(): NativeTextEncoderInfo;
  /** Returns the BERTScores of pairs, given as indices of `texts`. */
  score(
    texts: number[][],
    options: { hypotheses: number[]; references: number[]; batchSize: number },
    token: NativeCancelToken,
  ): Promise<{ precision: number; recall: number; f1: number }[]>;
  /** Gives up this handle, as a model's `dispose` does. */
  dispose(): void;
}

export interface NativeTensor {
  name: string;
  shape: number[];
  data: Float32Array;
}

export interface NativeBackboneInfo {
  /** `model_type` of config.json: `siglip`, `siglip_vision_model`, `gemma3`, `gemma3_text`, `qwen2` */
  modelType: string;
  parameters: number;
  weightFiles: string[];
  /** The names and values of the configuration that brain3d uses. */
  config: Record<string, number | string | boolean>;
}

/** The head that simulated subjects are drawn from; opaque. */
export type NativeAnatomy = object & { readonly __anatomy: never };

export type NativeTriple = [number, number, number];

/**
 * The description of a simulated subject. All seeds are 0 .. 2^53 - 1; triples are by (Right, Anterior, Superior).
 * native/simulate explains the fields.
 */
export interface NativeSubjectSpec {
  /** The shape (D, H, W) of the canonical volume. */
  size: NativeTriple;
  spacingMm: number;
  /** Axis codes in which the volumes are stored, such as `LPS`. */
  orientation: string;
  shape: {
    scale: NativeTriple;
    rotationDegrees: NativeTriple;
    translationMm: NativeTriple;
    warpMm: number;
    warpSeed: number;
    ventricleMm: number;
  };
  tumour: {
    /** A healthy subject has none. */
    foci: { region: string; side: 'left' | 'right' | 'middle'; seed: number; coreMl: number }[];
    edemaMl: number;
    necrosisShare: number;
    infiltrationMm: number;
    pushMm: number;
    squeezeMm: number;
    seed: number;
  };
  contrast: {
    csf: number;
    grey: number;
    white: number;
    fat: number;
    edema: number;
    core: number;
    necrosis: number;
  };
  acquisition: {
    bias: number;
    biasSeed: number;
    sliceMm: number;
    blurMm: number;
    noise: number;
    noiseSeed: number;
    gain: number;
  };
  strip: boolean;
  stripRoughness: number;
  stripSeed: number;
}

/** Measurements of the masks; pairs are [left, right]. */
export interface NativeTruth {
  volumes: {
    region: string;
    side: 'left' | 'right';
    necrosisMm3: number;
    edemaMm3: number;
    enhancingMm3: number;
  }[];
  /** The distance that the lesion reaches from the midline into each half of the brain. */
  reachMm: [number, number];
  ventricleMm3: [number, number];
  /** The volume of the ventricles without the lesion's mass effect. */
  ventricleBeforeMm3: [number, number];
  /** The shift of the septum pellucidum; positive to the right. */
  midlineShiftMm: number;
  brainMm3: number;
  /** The volumes of separate solid parts (necrosis and enhancing), largest first. */
  coresMm3: number[];
}

export interface NativeSubject {
  flair: NativeVolume;
  /** BraTS labels: 1 necrosis, 2 edema, 4 enhancing. */
  segmentation: NativeVolume;
  /** 1 in the brain. */
  brain: NativeVolume;
  truth: NativeTruth;
}

// Training

/** The groups of trainable tensors. A phase trains some groups; the rest is frozen. */
export type NativeParameterGroup = 'patch_embedding' | 'depth_positions' | 'projector' | 'vis_scale' | 'lora';

export interface NativeTrainerSpec {
  visionDir: string;
  languageDir: string;
  /** The path of `brain3d.safetensors` to start from. */
  weightsFile: string;
  /** A PEFT directory to start from; empty for none. */
  adapterDir: string;
  recipe: NativeRecipe;
  device: string;
  /** The dtype of the computation. Trained parameters are held in float32. */
  dtype: string;
  trains: NativeParameterGroup[];
  /** A fresh adapter; null where `adapterDir` holds one or none is wanted. */
  lora: { rank: number; alpha: number; targetModules: string[]; seed: number } | null;
  /** The dropout of the adapter's input, in training only. */
  loraDropout: number;
  optimizer: { beta1: number; beta2: number; epsilon: number; weightDecay: number };
}

export interface NativeTrainerInfo {
  device: string;
  dtype: string;
  /** The trained parameters in the checkpoint's order. `decays`: weight decay applies (matrices and kernels only). */
  parameters: { name: string; group: NativeParameterGroup; shape: number[]; decays: boolean }[];
  visionWidth: number;
  languageWidth: number;
  numVisualTokens: number;
  numPatchTokens: number;
  vocabSize: number;
  maxPositions: number;
  warnings: string[];
}

/** Phase 1: volumes against their reports' embeddings. */
export interface NativeContrastiveObjective {
  name: 'contrastive';
  /** Files of the preprocessing cache. A file that fails is named in the failure's `field`, such as `volumes[3]`. */
  volumes: string[];
  /** (B, M), rows of `embedTexts`. */
  texts: Float32Array;
  /** A number for each row; rows with equal numbers have the same report and are not each other's negatives. */
  textIds: number[];
  /** The number of rows whose activations are held at a time. The gradient is always that of the whole batch. */
  microBatch: number;
  temperature: number;
  /** `inference`: pool to K tokens, project, mean. `peer`: mean over all patch tokens, project. */
  visualEmbedding: 'inference' | 'peer';
  /** Keeps only each block's input and computes the rest again in the backward pass. */
  recompute: boolean;
}

/** One report after its volume's pooled tokens. */
export interface NativeReportSample {
  /** The pooled tokens (K, E) of `encodePooled`. */
  pooled: Float32Array;
  /** The prompt, the report and, for a complete report, EOS. */
  ids: Int32Array;
  /** The index in `ids` of the first report token; all from there on are labels. */
  labelsBegin: number;
}

/** Phases 2A and 2B: the next token of each report. */
export interface NativeReportObjective {
  name: 'report';
  samples: NativeReportSample[];
  /** Indices of samples that are computed together, padded to the longest of them. Each sample is in one group. */
  microBatches: number[][];
  /** `tokens`: mean over all labels of the step. `samples`: mean of the samples' means. */
  lossMean: 'tokens' | 'samples';
  /** The number of rows of logits held at a time. */
  logitRows: number;
  recompute: boolean;
}

/** The objective of a step, with its samples; `name` chooses the implementation (native/napi/objectives.cpp). */
export type NativeObjective = NativeContrastiveObjective | NativeReportObjective;

export interface NativeUpdate {
  /** One learning rate for each trained group. */
  learningRates: Partial<Record<NativeParameterGroup, number>>;
  /** 0 turns it off. */
  maxGradNorm: number;
  /** The seed of this step's dropout masks. */
  seed: number;
}

export interface NativeStepResult {
  loss: number;
  /** The loss of each sample (its mean over labels; in grounding its row's share of both directions). */
  sampleLosses: Float32Array;
  /** The norm over all trained parameters, before clipping. */
  gradNorm: number;
  /** The number of labels of the step; 0 in grounding. */
  numLabels: number;
  /** The number of tokens that went through the language model, padding included; 0 in grounding. */
  numTokens: number;
  visScale: number;
  /** The peak memory on the device in bytes (CUDA only; 0 on CPU). */
  peakDeviceBytes: number;
  /** If not null, nothing was updated. `tensor` is `loss` or the parameter whose gradient was not finite. */
  nonFinite: { tensor: string; samples: number[] } | null;
}

/** A model with trainable parts. Calls run one at a time; a cancelled or failed step updates nothing. */
export interface NativeTrainer {
  info(): NativeTrainerInfo;
  /**
   * Returns the pooled tokens (K, E) float32 of a file of the preprocessing cache, with the present patch embedding.
   */
  encodePooled(volumeFile: string, token: NativeCancelToken): Promise<Float32Array>;
  /** Returns (T, M): the mean of the last hidden states over the tokens of each text, L2-normalised. */
  embedTexts(texts: number[][], token: NativeCancelToken): Promise<Float32Array>;
  step(objective: NativeObjective, update: NativeUpdate, token: NativeCancelToken): Promise<NativeStepResult>;
  /** Computes the loss without gradients or dropout. */
  loss(
    objective: NativeObjective,
    token: NativeCancelToken,
  ): Promise<{ loss: number; sampleLosses: Float32Array; numLabels: number }>;
  /** Writes parameters, moments and step of the optimiser as one safetensors file, atomically and synced. */
  saveState(file: string, token: NativeCancelToken): Promise<void>;
  /** Reads what `saveState` of the same spec wrote, and refuses anything else. */
  loadState(file: string, token: NativeCancelToken): Promise<void>;
  /** Writes all of `brain3d.safetensors`, float32, atomically. */
  writeWeights(file: string, token: NativeCancelToken): Promise<void>;
  /** Writes `adapter_model.safetensors` with PEFT's names for this backbone, atomically. */
  writeAdapter(file: string, token: NativeCancelToken): Promise<void>;
  dispose(): void;
}

// The addon itself

export interface NativeAddon {
  buildInfo(): NativeBuildInfo;
  systemInfo(): NativeSystemInfo;
  createCancelToken(): NativeCancelToken;
  readVolume(path: string, options: NativeReadOptions, token: NativeCancelToken): Promise<NativeVolume>;
  /** Reads the geometry without voxels. */
  readVolumeInfo(path: string, options: NativeReadOptions, token: NativeCancelToken): Promise<NativeVolumeInfo>;
  /** Copies `data` at the call; shape (D, H, W) row-major. */
  volumeFromArray(data: Float32Array, shape: number[], affine: NativeAffine): NativeVolume;
  preprocess(volume: NativeVolume, options: NativePreprocessOptions, token: NativeCancelToken): Promise<NativeVolume>;
  writeVolume(volume: NativeVolume, path: string, datatype: NativeDatatype, token: NativeCancelToken): Promise<void>;
  /** Loads both files of assets/anatomy. */
  loadAnatomy(t1Path: string, regionsPath: string, token: NativeCancelToken): Promise<NativeAnatomy>;
  simulateSubject(anatomy: NativeAnatomy, spec: NativeSubjectSpec, token: NativeCancelToken): Promise<NativeSubject>;
  /** Writes one float16 tensor `volume` (D, H, W) of values from 0 to 1, as safetensors. */
  writeCachedVolume(volume: NativeVolume, path: string, token: NativeCancelToken): Promise<void>;
  /** Maps a file that `writeCachedVolume` wrote. */
  openCachedVolume(path: string, geometry: NativeCachedGeometry, token: NativeCancelToken): Promise<NativeVolume>;
  brainMask(volume: NativeVolume, method: 'none' | 'auto' | 'bet', token: NativeCancelToken): Promise<NativeBrainMask>;
  /** Reads the mask from a tool's output for `volume`: its voxels that are not 0. */
  maskFromTool(volume: NativeVolume, output: NativeVolume, token: NativeCancelToken): Promise<NativeBrainMask>;
  inspectBackbone(dir: string, token: NativeCancelToken): Promise<NativeBackboneInfo>;
  loadModel(
    spec: NativeModelSpec,
    token: NativeCancelToken,
    onProgress: ((stage: string, done: number, total: number) => void) | null,
  ): Promise<NativeModel>;
  createTrainer(
    spec: NativeTrainerSpec,
    token: NativeCancelToken,
    onProgress: ((stage: string, done: number, total: number) => void) | null,
  ): Promise<NativeTrainer>;
  /** Loads a RoBERTa up to hidden state `layer`. */
  loadTextEncoder(
    spec: { dir: string; layer: number; device: string },
    token: NativeCancelToken,
  ): Promise<NativeTextEncoder>;
  /** Makes the trainable tensors of a fresh checkpoint and writes `weightsFile`. */
  initCheckpoint(
    spec: {
      visionDir: string;
      languageDir: string;
      recipe: NativeRecipe;
      /** `inflated` | `random` */
      patchEmbedding: string;
      seed: number;
      weightsFile: string;
    },
    token: NativeCancelToken,
  ): Promise<void>;
  /**
   * Converts the authors' `projector_vis_scale.pt` to our `weightsFile`; the patch embedding comes from the backbone.
   * `adapterDir` (empty: none) is only checked: one that does not fit is refused.
   */
  importProjector(
    spec: {
      file: string;
      adapterDir: string;
      visionDir: string;
      languageDir: string;
      recipe: NativeRecipe;
      weightsFile: string;
    },
    token: NativeCancelToken,
  ): Promise<void>;
  writeTensors(
    path: string,
    tensors: NativeTensor[],
    metadata: Record<string, string>,
    token: NativeCancelToken,
  ): Promise<void>;
  /** Reads the float32 tensors of a file that `writeTensors` wrote, by name. */
  readTensors(path: string, token: NativeCancelToken): Promise<NativeTensor[]>;
}

/** The loader addon, which opens LibTorch by absolute path before the main addon is required. */
export interface NativeLoader {
  /** Calls dlopen with RTLD_NOW | RTLD_GLOBAL, in order; throws an `Error` with the loader's message. */
  open(paths: string[]): void;
  /** Lists the paths of the shared objects mapped into this process. */
  mapped(): string[];
}
