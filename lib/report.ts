/** What a generation gives back, and the statement every one carries. */
import type { GenerationSettings } from './generation';
import type { VolumeInfo } from './volume';

export const DISCLAIMER =
  'Research use only. Not a medical device. Not for diagnosis. Must be reviewed by a qualified radiologist.';

/** Milliseconds. `encode`, `prefill` and `decode` are those of the whole batch a volume was decoded with. */
export interface Timings {
  read: number;
  preprocess: number;
  encode: number;
  prefill: number;
  decode: number;
  total: number;
}

/** Which model wrote a report, so that it can be written again. */
export interface ModelProvenance {
  /** Base name of the checkpoint's directory. */
  name: string;
  recipe: string;
  compression: string;
  phase: string;
  visionFingerprint: string;
  languageFingerprint: string;
  hasAdapter: boolean;
  brain3dVersion: string;
  torchVersion: string;
}

export interface Report {
  /** The generated text, special tokens left out. */
  text: string;
  /** New tokens only, the closing EOS included. */
  tokenIds: number[];
  /** `length` means the text was cut at maxNewTokens. */
  finishReason: 'eos' | 'length';
  counts: { visualTokens: number; promptTokens: number; newTokens: number; batchSize: number };
  timingsMs: Timings;
  device: string;
  dtype: string;
  prompt: string;
  settings: GenerationSettings;
  model: ModelProvenance;
  /** Geometry of the volume as read. */
  volume: VolumeInfo;
  /** Everything a reader should know before trusting the text. */
  warnings: string[];
  researchUseOnly: true;
  disclaimer: typeof DISCLAIMER;
}

/** One decoded step of a stream. `text` is empty while a character's bytes are incomplete, and for special tokens. */
export interface TextChunk {
  text: string;
  tokenId: number;
}
