/**
 * The engine a `Brain3D` computes with: a model in this process (`local-engine.ts`) or in another
 * (`isolated-engine.ts`).
 */

import type { OnProgress } from '../base/progress';
import type { Checkpoint } from '../checkpoint/checkpoint';
import type { NativeModelInfo } from '../native/surface';
import type { LimitOptions } from '../volume/input-limits';
import type { StripOptions } from '../volume/skull-strip';
import type { Volume } from '../volume/volume';
import type { GenerateOptions } from './decoding';
import type { Report, TextChunk } from './report';

/** A path (NIfTI file or DICOM folder) or a volume, as read or already preprocessed. */
export type VolumeSource = string | Volume;

/** The stages of a volume's way through the encoder. All data are row-major float32. */
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
  /** The tokens of the report and the closing EOS. */
  tokenIds: number[];
  /** The negative log-likelihood of each token, in nats. */
  tokenNlls: number[];
  meanNll: number;
}

/** The arguments of loading a model. They are plain data because they may have to cross to another process. */
export interface EngineSpec {
  /** Checkpoint directory. */
  model: string;
  /** A device as `Brain3D.load` takes it. */
  device: string;
  dtype: string;
  mergeAdapter: boolean;
  libtorch: string | undefined;
}

/** Callbacks during a generation. An error that one of them throws ends the generation. */
export interface Listeners {
  onProgress: OnProgress;
  /** Receives the text piece by piece. It may be given with a single source only. */
  onChunk?: (chunk: TextChunk) => void;
}

export interface EncodeCall extends StripOptions, LimitOptions {
  prompt?: string | undefined;
  signal?: AbortSignal | undefined;
}

/** Runs the model. It takes options that are already checked, and one call at a time. */
export interface Engine {
  readonly checkpoint: Checkpoint;
  readonly info: Readonly<NativeModelInfo>;
  /** The warning of choosing the device; null if there was none. */
  readonly warning: string | null;
  /** The process that holds the model; null while there is none. */
  readonly pid: number | null;
  /** Returns the reports of one batch. */
  generate(sources: VolumeSource[], options: GenerateOptions, listeners: Listeners): Promise<Report[]>;
  encode(source: VolumeSource, options: EncodeCall): Promise<Encoding>;
  score(source: VolumeSource, report: string, options: EncodeCall): Promise<Score>;
  dispose(): Promise<void>;
}
