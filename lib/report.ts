/** What a generation gives back, and the statement every one carries. */
import { basename } from 'node:path';
import type { Checkpoint } from './checkpoint';
import type { GenerationSettings } from './generation';
import type { NativeBuildInfo, NativeGeneration, NativeModelInfo, NativeSequence } from './native';
import type { SkullStrip } from './skull-strip';
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
  /** `length` means the text was cut at the limit of new tokens. */
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
  /** What skull-stripping did; null for a volume from a cache that did not keep it. */
  skullStrip: SkullStrip | null;
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

interface ModelContext {
  checkpoint: Checkpoint;
  info: NativeModelInfo;
  build: NativeBuildInfo;
}

/** The report of sequence `index` of a generation. */
export function assembleReport(
  model: ModelContext,
  call: { prompt: string; promptIds: number[]; settings: GenerationSettings },
  generation: NativeGeneration,
  index: number,
  made: {
    text: string;
    volume: VolumeInfo;
    skullStrip: SkullStrip | null;
    readMs: number;
    preprocessMs: number;
    totalMs: number;
  },
): Report {
  const { tokenIds, finishReason } = generation.sequences[index] as NativeSequence;
  return {
    text: made.text,
    tokenIds,
    finishReason,
    counts: {
      visualTokens: model.info.numVisualTokens,
      promptTokens: call.promptIds.length,
      newTokens: tokenIds.length,
      batchSize: generation.sequences.length,
    },
    timingsMs: {
      read: made.readMs,
      preprocess: made.preprocessMs,
      encode: generation.encodeMs,
      prefill: generation.prefillMs,
      decode: generation.decodeMs,
      total: made.totalMs,
    },
    device: model.info.device,
    dtype: model.info.dtype,
    prompt: call.prompt,
    settings: call.settings,
    model: provenance(model),
    volume: made.volume,
    skullStrip: made.skullStrip,
    warnings: warnings(model, [...made.volume.warnings, ...(made.skullStrip?.warnings ?? [])], finishReason),
    researchUseOnly: true,
    disclaimer: DISCLAIMER,
  };
}

function warnings({ checkpoint, info }: ModelContext, ofVolume: string[], finishReason: string): string[] {
  const found = [...new Set(ofVolume), ...info.warnings]; // a preprocessed volume has those of its skull strip already
  if (checkpoint.phase === 'initialised')
    found.push('the checkpoint is untrained: its text does not depend on the image in any meaningful way');
  else if (checkpoint.provenance['training_data'] === 'simulated')
    found.push('the checkpoint was trained on simulated data: what it learned holds for simulated scans');
  if (finishReason === 'length') found.push('the text was cut at the limit of new tokens');
  return found;
}

function provenance({ checkpoint, build }: ModelContext): ModelProvenance {
  return {
    name: basename(checkpoint.dir),
    recipe: checkpoint.recipe.name,
    compression: checkpoint.recipe.compression,
    phase: checkpoint.phase,
    visionFingerprint: checkpoint.vision.fingerprint,
    languageFingerprint: checkpoint.language.fingerprint,
    hasAdapter: checkpoint.hasAdapter,
    brain3dVersion: build.version,
    torchVersion: build.torchVersion,
  };
}
