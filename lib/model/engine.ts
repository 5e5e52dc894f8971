/** What a `Brain3D` computes with: a model in this process (`local-engine.ts`) or in another (`isolated-engine.ts`). */

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

/** Plain data: it may have to cross to another process. */
export interface EngineSpec {
  /** Checkpoint directory. */
  model: string;
  /** As `Brain3D.load` takes it. */
  device: string;
  dtype: string;
  mergeAdapter: boolean;
  libtorch: string | undefined;
}

/** What hears of a generation while it goes on; what one of them throws ends it. */
export interface Listeners {
  onProgress: OnProgress;
  /** Of one source only: its text, piece by piece. */
  onChunk?: (chunk: TextChunk) => void;
}

export interface EncodeCall extends StripOptions, LimitOptions {
  prompt?: string | undefined;
  signal?: AbortSignal | undefined;
}

/** Options are checked already. One call at a time. */
export interface Engine {
  readonly checkpoint: Checkpoint;
  readonly info: Readonly<NativeModelInfo>;
  /** Of choosing the device. */
  readonly warning: string | null;
  /** Process that holds the model; null while there is none. */
  readonly pid: number | null;
  /** Reports of one batch. */
  generate(sources: VolumeSource[], options: GenerateOptions, listeners: Listeners): Promise<Report[]>;
  encode(source: VolumeSource, options: EncodeCall): Promise<Encoding>;
  score(source: VolumeSource, report: string, options: EncodeCall): Promise<Score>;
  dispose(): Promise<void>;
}
