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
  /** LibTorch the addon was compiled against, as `2.13.0`. */
  torchVersion: string;
  /** CUDA toolkit of the kernels, as `13.0`; null for a CPU build. */
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
  /** Bytes of resident memory of this process. */
  residentBytes: number;
  peakResidentBytes: number;
  /** Memory of freed tensors and volumes that is kept for the next call, 256 MiB at most; part of `residentBytes`. */
  cachedBytes: number;
  /** Memory of large tensors and volumes in use, which malloc does not count; what of it was written is part of `residentBytes`. */
  largeBytes: number;
  cudaDevices: NativeDeviceInfo[];
}

/** Row-major 4 x 4, voxel (i, j, k) to RAS mm. */
export type NativeAffine = number[];

export interface NativeVolumeInfo {
  /** Voxels along (D, H, W); for a volume as stored, the reverse of NIfTI's (i, j, k). */
  shape: [number, number, number];
  /** Maps (i, j, k) = (w, h, d) to RAS mm. */
  affine: NativeAffine;
  spacingMm: [number, number, number];
  /** Axis codes of (i, j, k), as `LPS`; for oblique volumes of the nearest axes. */
  orientation: string;
  /** Angle in degrees between the voxel axes and the nearest patient axes; 0 if aligned. */
  obliqueDegrees: number;
  /** `sform`, `qform`, `stated` (by the caller) or `array`. */
  affineSource: string;
  datatype: string;
  warnings: string[];
}

export interface NativeVolume {
  info(): NativeVolumeInfo;
  /** A copy of the voxels, row-major (D, H, W), float32. */
  data(): Float32Array;
  countNonZero(): number;
}

/** How a volume's voxels are stored in a file. */
export type NativeDatatype = 'float32' | 'int16' | 'uint8';

export interface NativeReadOptions {
  /** Index of the volume in a 4D file; -1 if not given. */
  volumeIndex: number;
  /** Axis codes for a file whose affine says nothing, as `RAS`; empty if not given. */
  orientation: string;
  /** `sform`, `qform` or empty. */
  preferAffine: string;
  /** `orientation` holds whatever the file's affine says. */
  overrideOrientation: boolean;
}

/** What a cached volume's file does not say of its volume: its sidecar does. */
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
  /** Of the brain, on the volume's grid; null keeps all voxels. */
  mask: NativeVolume | null;
}

export interface NativeBrainMask {
  /** 0 or 1, with the axes, shape and affine of the volume; null where all of it is taken, which only `none` does. */
  mask: NativeVolume | null;
  method: 'none' | 'already-stripped' | 'bet' | 'command';
  /** A clause; empty where there was nothing to decide. */
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
  /** `volume` | `slice`: what patches attend to. */
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
  /** `brain3d.safetensors` */
  weightsFile: string;
  /** PEFT directory, or empty. */
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
  /** Bytes of all weights as held. */
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
  /** 0 is off. */
  topK: number;
  /** 1 is off. */
  topP: number;
  /** 1 is off. */
  repetitionPenalty: number;
  /** 0 is off. */
  noRepeatNgramSize: number;
  /** 0 .. 2^53 - 1 */
  seed: number;
  eosTokenIds: number[];
  padTokenId: number;
  /** Replay captured CUDA graphs; no effect on the CPU. */
  cudaGraph: boolean;
}

export interface NativeSequence {
  /** New tokens only, the closing EOS included. */
  tokenIds: number[];
  finishReason: 'eos' | 'length';
}

export interface NativeGeneration {
  sequences: NativeSequence[];
  encodeMs: number;
  prefillMs: number;
  decodeMs: number;
  /** Bytes at the peak on the device (CUDA only; 0 on CPU). */
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
  /** Negative log-likelihoods (nats) of `reportIds` given the volume and the prompt. */
  score(
    volume: NativeVolume,
    promptIds: number[],
    reportIds: number[],
    token: NativeCancelToken,
  ): Promise<{ nlls: Float32Array; encodeMs: number; scoreMs: number }>;
  /** Gives up this handle; work in flight keeps what it needs and settles. Idempotent. */
  dispose(): void;
}

export interface NativeTextEncoderInfo {
  device: string;
  layer: number;
  vocabSize: number;
  /** In a text, the special ones included. */
  maxTokens: number;
  bosTokenId: number;
  eosTokenId: number;
}

export interface NativeTextEncoder {
  info(): NativeTextEncoderInfo;
  /** BERTScores of pairs, given as indices of `texts`. */
  score(
    texts: number[][],
    options: { hypotheses: number[]; references: number[]; batchSize: number },
    token: NativeCancelToken,
  ): Promise<{ precision: number; recall: number; f1: number }[]>;
  /** As a model's. */
  dispose(): void;
}

export interface NativeTensor {
  name: string;
  shape: number[];
  data: Float32Array;
}

export interface NativeBackboneInfo {
  /** `siglip` | `gemma3_text` | `gemma3` */
  modelType: string;
  parameters: number;
  weightFiles: string[];
  /** Names and values of the configuration that brain3d uses. */
  config: Record<string, number | string | boolean>;
}

/** Opaque; the head that simulated subjects are drawn from. */
export type NativeAnatomy = object & { readonly __anatomy: never };

export type NativeTriple = [number, number, number];

/** All seeds are 0 .. 2^53 - 1; triples are by (Right, Anterior, Superior). Meanings: native/simulate. */
export interface NativeSubjectSpec {
  /** (D, H, W) of the canonical volume. */
  size: NativeTriple;
  spacingMm: number;
  /** Axis codes in which the volumes are stored, as `LPS`. */
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
    /** None: a healthy subject. */
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

/** What the masks hold; pairs are [left, right]. */
export interface NativeTruth {
  volumes: {
    region: string;
    side: 'left' | 'right';
    necrosisMm3: number;
    edemaMm3: number;
    enhancingMm3: number;
  }[];
  /** How far the lesion reaches from the midline into each half of the brain. */
  reachMm: [number, number];
  ventricleMm3: [number, number];
  /** Without the lesion's mass effect. */
  ventricleBeforeMm3: [number, number];
  /** Of the septum pellucidum; positive to the right. */
  midlineShiftMm: number;
  brainMm3: number;
  /** Solid parts (necrosis and enhancing) that touch nowhere, largest first. */
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

/** Trainable tensors, by what they belong to. A phase trains some groups; the rest is frozen. */
export type NativeParameterGroup = 'patch_embedding' | 'depth_positions' | 'projector' | 'vis_scale' | 'lora';

export interface NativeTrainerSpec {
  visionDir: string;
  languageDir: string;
  /** `brain3d.safetensors` to start from. */
  weightsFile: string;
  /** PEFT directory to start from; empty for none. */
  adapterDir: string;
  recipe: NativeRecipe;
  device: string;
  /** Of the computation; what trains is held in float32. */
  dtype: string;
  trains: NativeParameterGroup[];
  /** A fresh adapter; null where `adapterDir` holds one or none is wanted. */
  lora: { rank: number; alpha: number; targetModules: string[]; seed: number } | null;
  /** Of the adapter's input, in training only. */
  loraDropout: number;
  optimizer: { beta1: number; beta2: number; epsilon: number; weightDecay: number };
}

export interface NativeTrainerInfo {
  device: string;
  dtype: string;
  /** What trains, in the order of the checkpoint. `decays`: weight decay applies (matrices and kernels only). */
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
  /** Files of the preprocessing cache. A file that fails is named in the failure's `field`, as `volumes[3]`. */
  volumes: string[];
  /** (B, M), rows of `embedTexts`. */
  texts: Float32Array;
  /** A number for each row; rows with equal numbers have the same report and are not each other's negatives. */
  textIds: number[];
  /** Rows whose activations are held at a time. The gradient is that of the whole batch whatever it is. */
  microBatch: number;
  temperature: number;
  /** `inference`: pool to K tokens, project, mean. `peer`: mean over all patch tokens, project. */
  visualEmbedding: 'inference' | 'peer';
  /** Keep only each block's input and compute the rest again in the backward pass. */
  recompute: boolean;
}

/** One report behind its volume's pooled tokens. */
export interface NativeReportSample {
  /** Pooled tokens (K, E) of `encodePooled`. */
  pooled: Float32Array;
  /** Prompt, report and, for a complete report, EOS. */
  ids: Int32Array;
  /** Index in `ids` of the first report token; all from there on are labels. */
  labelsBegin: number;
}

/** Phases 2A and 2B: the next token of each report. */
export interface NativeReportObjective {
  name: 'report';
  samples: NativeReportSample[];
  /** Indices of samples that are computed together, padded to the longest of them. Each sample is in one. */
  microBatches: number[][];
  /** `tokens`: mean over all labels of the step. `samples`: mean of the samples' means. */
  lossMean: 'tokens' | 'samples';
  /** Rows of logits held at a time. */
  logitRows: number;
  recompute: boolean;
}

/** What a step learns towards, with its samples; `name` chooses the implementation (native/napi/objectives.cpp). */
export type NativeObjective = NativeContrastiveObjective | NativeReportObjective;

export interface NativeUpdate {
  /** One for each trained group. */
  learningRates: Partial<Record<NativeParameterGroup, number>>;
  /** 0 is off. */
  maxGradNorm: number;
  /** Of this step's dropout masks. */
  seed: number;
}

export interface NativeStepResult {
  loss: number;
  /** One a sample (its mean over labels; in grounding its row's share of both directions). */
  sampleLosses: Float32Array;
  /** Over all that trains, before clipping. */
  gradNorm: number;
  /** Labels of the step; 0 in grounding. */
  numLabels: number;
  /** Tokens that went through the language model, padding included; 0 in grounding. */
  numTokens: number;
  visScale: number;
  /** Bytes at the peak on the device (CUDA only; 0 on CPU). */
  peakDeviceBytes: number;
  /** Not null: nothing was updated. `tensor` is `loss` or the parameter whose gradient it was. */
  nonFinite: { tensor: string; samples: number[] } | null;
}

/** A model with trainable parts. Calls run one at a time; a cancelled or failed step updates nothing. */
export interface NativeTrainer {
  info(): NativeTrainerInfo;
  /** Pooled tokens (K, E) float32 of a file of the preprocessing cache, with the present patch embedding. */
  encodePooled(volumeFile: string, token: NativeCancelToken): Promise<Float32Array>;
  /** (T, M): mean of the last hidden states over the tokens of each text, L2-normalised. */
  embedTexts(texts: number[][], token: NativeCancelToken): Promise<Float32Array>;
  step(objective: NativeObjective, update: NativeUpdate, token: NativeCancelToken): Promise<NativeStepResult>;
  /** Without gradients or dropout. */
  loss(
    objective: NativeObjective,
    token: NativeCancelToken,
  ): Promise<{ loss: number; sampleLosses: Float32Array; numLabels: number }>;
  /** Parameters, moments and step of the optimiser as one safetensors file, atomically and synced. */
  saveState(file: string, token: NativeCancelToken): Promise<void>;
  /** Strict: what `saveState` of the same spec wrote. */
  loadState(file: string, token: NativeCancelToken): Promise<void>;
  /** All of `brain3d.safetensors`, float32, atomically. */
  writeWeights(file: string, token: NativeCancelToken): Promise<void>;
  /** `adapter_model.safetensors` with PEFT's names for this backbone, atomically. */
  writeAdapter(file: string, token: NativeCancelToken): Promise<void>;
  dispose(): void;
}

// The addon itself

export interface NativeAddon {
  buildInfo(): NativeBuildInfo;
  systemInfo(): NativeSystemInfo;
  createCancelToken(): NativeCancelToken;
  readVolume(path: string, options: NativeReadOptions, token: NativeCancelToken): Promise<NativeVolume>;
  /** Geometry without voxels. */
  readVolumeInfo(path: string, options: NativeReadOptions, token: NativeCancelToken): Promise<NativeVolumeInfo>;
  /** `data` is copied at the call; shape (D, H, W) row-major. */
  volumeFromArray(data: Float32Array, shape: number[], affine: NativeAffine): NativeVolume;
  preprocess(volume: NativeVolume, options: NativePreprocessOptions, token: NativeCancelToken): Promise<NativeVolume>;
  writeVolume(volume: NativeVolume, path: string, datatype: NativeDatatype, token: NativeCancelToken): Promise<void>;
  /** Both files of assets/anatomy. */
  loadAnatomy(t1Path: string, regionsPath: string, token: NativeCancelToken): Promise<NativeAnatomy>;
  simulateSubject(anatomy: NativeAnatomy, spec: NativeSubjectSpec, token: NativeCancelToken): Promise<NativeSubject>;
  /** One float16 tensor `volume` (D, H, W) of values from 0 to 1, as safetensors. */
  writeCachedVolume(volume: NativeVolume, path: string, token: NativeCancelToken): Promise<void>;
  /** Maps what `writeCachedVolume` wrote. */
  openCachedVolume(path: string, geometry: NativeCachedGeometry, token: NativeCancelToken): Promise<NativeVolume>;
  brainMask(volume: NativeVolume, method: 'none' | 'auto' | 'bet', token: NativeCancelToken): Promise<NativeBrainMask>;
  /** The mask in what a tool made of `volume`: its voxels that are not 0. */
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
  /** A RoBERTa up to hidden state `layer`. */
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
   * The authors' `projector_vis_scale.pt` as our `weightsFile`; the patch embedding comes from the backbone. `adapterDir`
   * (empty: none) is only looked at: one that does not fit is refused.
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
  /** The float32 tensors of a file that `writeTensors` wrote, by name. */
  readTensors(path: string, token: NativeCancelToken): Promise<NativeTensor[]>;
}

/** The loader addon: opens LibTorch by absolute path before the main addon is required. */
export interface NativeLoader {
  /** dlopen with RTLD_NOW | RTLD_GLOBAL, in order; throws an `Error` with the loader's message. */
  open(paths: string[]): void;
  /** Paths of the shared objects mapped into this process. */
  mapped(): string[];
}
