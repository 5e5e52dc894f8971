/** The result of a generation, with the statement that every report carries. */
import { basename } from 'node:path';
import { DISCLAIMER } from '../base/disclaimer';
import { combineDigests } from '../checkpoint/backbone';
import type { Checkpoint } from '../checkpoint/checkpoint';
import type { NativeBuildInfo, NativeGeneration, NativeModelInfo, NativeSequence } from '../native/surface';
import { countNgrams } from '../reading/ngrams';
import type { SkullStrip } from '../volume/skull-strip';
import type { VolumeInfo } from '../volume/volume';
import type { GenerationSettings } from './decoding-options';

/**
 * Durations in milliseconds. `encode`, `prefill` and `decode` are those of the whole batch a volume was decoded with.
 */
export interface Timings {
  read: number;
  preprocess: number;
  encode: number;
  prefill: number;
  decode: number;
  total: number;
}

/** The model that wrote a report, described so that the report can be written again. */
export interface ModelProvenance {
  /** The base name of the checkpoint's directory. */
  name: string;
  recipe: string;
  compression: string;
  phase: string;
  /** The SHA-256 over the checkpoint's own files: `brain3d.json`, weights, adapter. */
  checkpointDigest: string;
  /**
   * The SHA-256 over the files of each backbone, as recorded in the checkpoint. Only the fingerprint is compared at
   * every load.
   */
  visionDigest: string;
  languageDigest: string;
  visionFingerprint: string;
  languageFingerprint: string;
  hasAdapter: boolean;
  brain3dVersion: string;
  torchVersion: string;
  /** Null for a CPU build. */
  cudaVersion: string | null;
  nodeVersion: string;
}

/** The reasons why a text is unfit to be read as a report: it was cut at the limit, has no word, or goes in circles. */
export const REPORT_FLAGS = ['truncated', 'empty', 'repetitive'] as const;
export type ReportFlag = (typeof REPORT_FLAGS)[number];

const FLAG_WARNINGS: Record<ReportFlag, string> = {
  truncated: 'the text was cut at the limit of new tokens',
  empty: 'the text is empty: the model wrote no report',
  repetitive: 'the text repeats itself: the same four tokens more than eight times',
};

/** How often one sequence of four tokens may come. A text that repeats one more often is no report any more. */
const MAX_SAME_4GRAM = 8;

/** The volume that the model saw, after preprocessing. */
export type ModelInput = Pick<VolumeInfo, 'shape' | 'spacingMm' | 'orientation' | 'affine'>;

export interface Report {
  /** The generated text without special tokens. */
  text: string;
  /** The new tokens only, with the closing EOS. */
  tokenIds: number[];
  /** `length` means the text was cut at the limit of new tokens. */
  finishReason: 'eos' | 'length';
  /** Each flag has its warning. A text without flags ended by itself. */
  flags: ReportFlag[];
  counts: { visualTokens: number; promptTokens: number; newTokens: number; batchSize: number };
  timingsMs: Timings;
  device: string;
  dtype: string;
  prompt: string;
  settings: GenerationSettings;
  model: ModelProvenance;
  /** The geometry of the volume as read. */
  volume: VolumeInfo;
  /** The geometry of the preprocessed volume, in canonical axes. */
  input: ModelInput;
  /** The result of skull-stripping; null for a volume from a cache that did not keep it. */
  skullStrip: SkullStrip | null;
  /** The warnings a reader should know before trusting the text. */
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
  checkpointDigest: string;
  info: NativeModelInfo;
  build: NativeBuildInfo;
}

/** Makes the report of sequence `index` of a generation. */
export function assembleReport(
  model: ModelContext,
  call: { prompt: string; promptIds: number[]; settings: GenerationSettings },
  generation: NativeGeneration,
  index: number,
  made: {
    text: string;
    volume: VolumeInfo;
    input: VolumeInfo;
    skullStrip: SkullStrip | null;
    readMs: number;
    preprocessMs: number;
    totalMs: number;
  },
): Report {
  const { tokenIds, finishReason } = generation.sequences[index] as NativeSequence;
  const flags = flagsOf(made.text, tokenIds, finishReason);
  const { shape, spacingMm, orientation, affine } = made.input;
  return {
    text: made.text,
    tokenIds,
    finishReason,
    flags,
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
    input: { shape, spacingMm, orientation, affine },
    skullStrip: made.skullStrip,
    warnings: warnings(model, [...made.volume.warnings, ...(made.skullStrip?.warnings ?? [])], flags),
    researchUseOnly: true,
    disclaimer: DISCLAIMER,
  };
}

function warnings({ checkpoint, info }: ModelContext, ofVolume: string[], flags: readonly ReportFlag[]): string[] {
  const found = [...new Set(ofVolume), ...info.warnings]; // a preprocessed volume has those of its skull strip already
  if (checkpoint.phase === 'initialised')
    found.push('the checkpoint is untrained: its text does not depend on the image in any meaningful way');
  else if (checkpoint.provenance['training_data'] === 'simulated')
    found.push('the checkpoint was trained on simulated data: what it learned holds for simulated scans');
  found.push(...flags.map((flag) => FLAG_WARNINGS[flag]));
  return found;
}

/** @internal */
export function flagsOf(text: string, tokenIds: readonly number[], finishReason: string): ReportFlag[] {
  const most = Math.max(0, ...countNgrams(tokenIds.map(String), 4).values());
  const applies: Record<ReportFlag, boolean> = {
    truncated: finishReason === 'length',
    empty: text.trim() === '',
    repetitive: most > MAX_SAME_4GRAM,
  };
  return REPORT_FLAGS.filter((flag) => applies[flag]);
}

/** The text, its flags and the statement, in the form in which they are shown and written. */
export function reportText({ text, flags, disclaimer }: Pick<Report, 'text' | 'flags' | 'disclaimer'>): string {
  return [...(text === '' ? [] : [text]), ...flagLines(flags), disclaimer].join('\n\n');
}

/** The lines about flags that stand below a text. */
export function flagLines(flags: readonly ReportFlag[]): string[] {
  return flags.map((flag) => `[${flag}: ${FLAG_WARNINGS[flag]}]`);
}

function provenance({ checkpoint, checkpointDigest, build }: ModelContext): ModelProvenance {
  return {
    name: basename(checkpoint.dir),
    recipe: checkpoint.recipe.name,
    compression: checkpoint.recipe.compression,
    phase: checkpoint.phase,
    checkpointDigest,
    visionDigest: combineDigests(checkpoint.vision.files),
    languageDigest: combineDigests(checkpoint.language.files),
    visionFingerprint: checkpoint.vision.fingerprint,
    languageFingerprint: checkpoint.language.fingerprint,
    hasAdapter: checkpoint.hasAdapter,
    brain3dVersion: build.version,
    torchVersion: build.torchVersion,
    cudaVersion: build.cudaVersion,
    nodeVersion: process.versions.node,
  };
}
