/**
 * The whole native surface, typed in one place. Nothing else in `lib/` knows the addon's shape, and only
 * `binding.ts` loads it. Arguments are already validated: the addon checks types, not policy.
 *
 * Every method that returns a promise computes on a thread of the addon's own and takes a `NativeCancelToken`;
 * a failure rejects with a `NativeFailure`. Typed arrays going in are held (not copied) until the promise settles
 * and must not be written meanwhile; typed arrays coming out are owned by JavaScript. Training is in
 * `native-trainer.ts`.
 */
import type { NativeTrainer, NativeTrainerSpec } from './native-trainer';

/** `Error` as the addon throws it: `code` is stable, `file` a base name. */
export interface NativeFailure extends Error {
  code: `BRAIN3D_${string}`;
  file?: string;
  field?: string;
  offset?: number;
}

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
