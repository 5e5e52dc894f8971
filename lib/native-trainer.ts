/** The native surface of training; rules as in `native.ts`. */
import type { NativeCancelToken, NativeRecipe } from './native';

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

/** Volumes with their reports' embeddings. */
export interface NativeGroundingBatch {
  /** Files of the preprocessing cache. A file that fails is named in the failure's `field`, as `volumes[3]`. */
  volumes: string[];
  /** (B, M), rows of `embedTexts`. */
  texts: Float32Array;
  /** A number for each row; rows with equal numbers have the same report and are not each other's negatives. */
  textIds: number[];
}

export interface NativeGroundingOptions {
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

export interface NativeReportOptions {
  /** Indices of samples that are computed together, padded to the longest of them. Each sample is in one. */
  microBatches: number[][];
  /** `tokens`: mean over all labels of the step. `samples`: mean of the samples' means. */
  lossMean: 'tokens' | 'samples';
  /** Rows of logits held at a time. */
  logitRows: number;
  recompute: boolean;
}

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
  groundingStep(
    batch: NativeGroundingBatch,
    options: NativeGroundingOptions,
    update: NativeUpdate,
    token: NativeCancelToken,
  ): Promise<NativeStepResult>;
  reportStep(
    samples: NativeReportSample[],
    options: NativeReportOptions,
    update: NativeUpdate,
    token: NativeCancelToken,
  ): Promise<NativeStepResult>;
  /** Without gradients or dropout. */
  groundingLoss(
    batch: NativeGroundingBatch,
    options: NativeGroundingOptions,
    token: NativeCancelToken,
  ): Promise<{ loss: number; sampleLosses: Float32Array }>;
  reportLoss(
    samples: NativeReportSample[],
    options: NativeReportOptions,
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
