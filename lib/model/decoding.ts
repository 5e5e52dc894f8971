/**
 * Decoding options. The caller's come first, then those of the checkpoint and its language backbone, then the paper's.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import { Brain3DError } from '../base/errors';
import { is, parseOptions } from '../base/validate';
import { readJsonFile } from '../checkpoint/backbone';
import type { NativeGenerateOptions } from '../native/surface';
import { limitEntries } from '../volume/input-limits';
import { checkStripOptions, stripEntries } from '../volume/skull-strip';
import {
  DECODING_NAMES,
  DECODING_OPTIONS,
  type DecodingName,
  decodingOf,
  type GenerationSettings,
  PAPER_DECODING,
} from './decoding-options';

type DecodingEntries = {
  [Name in DecodingName]: v.OptionalSchema<(typeof DECODING_OPTIONS)[Name]['schema'], undefined>;
};

const decodingEntries = Object.fromEntries(
  DECODING_NAMES.map((name) => [name, v.optional(DECODING_OPTIONS[name].schema)]),
) as DecodingEntries;

/** Field names are those of transformers, in camel case. */
export const generateEntries = {
  /** The default is the prompt the checkpoint was made with. */
  prompt: v.optional(is.text()),
  ...decodingEntries,
  /**
   * Replays captured CUDA graphs instead of launching every kernel; no effect on the CPU or on tokens. @default true
   */
  cudaGraph: v.optional(is.flag()),
  /** The number of volumes decoded together. @default 8 */
  batchSize: v.optional(is.integer(1, 1024)),
  ...stripEntries,
  signal: v.optional(is.signal()),
};

const GenerateSchema = v.object({ ...generateEntries, ...limitEntries });
export type GenerateOptions = v.InferInput<typeof GenerateSchema>;
export const GENERATE_NAMES = Object.keys(GenerateSchema.entries) as (keyof GenerateOptions)[];

/** The default number of volumes decoded together. */
export const DEFAULT_BATCH_SIZE = 8;

/** The values of `generation_config.json` that apply. The authors set every other value themselves. */
export interface GenerationDefaults {
  topK: number;
}

const GenerationConfig = v.object({ top_k: v.optional(v.nullable(DECODING_OPTIONS.topK.schema)) });

/** @throws {Brain3DError} BRAIN3D_CONFIG */
export async function readGenerationDefaults(languageDir: string): Promise<GenerationDefaults> {
  const file = 'generation_config.json';
  const path = join(languageDir, file);
  if (!existsSync(path)) return { topK: 0 };
  const result = v.safeParse(GenerationConfig, await readJsonFile(path));
  if (result.success) return { topK: result.output.top_k ?? 0 };
  throw new Brain3DError('BRAIN3D_CONFIG', `${file}: ${result.issues[0].message} for 'top_k'`, {
    file,
    field: 'top_k',
  });
}

/** Validates the options of `model.generate` and `model.stream`. */
export function parseGenerateOptions(where: string, options: unknown): v.InferOutput<typeof GenerateSchema> {
  const parsed = parseOptions(where, GenerateSchema, options);
  checkStripOptions(where, parsed);
  const max = parsed.maxNewTokens ?? PAPER_DECODING.maxNewTokens;
  if (parsed.minNewTokens !== undefined && parsed.minNewTokens > max)
    throw new RangeError(`${where}: expected minNewTokens <= maxNewTokens (${max}), got ${parsed.minNewTokens}`);
  return parsed;
}

/** The caller's options take precedence over those of the model directory, and these over the paper's. */
export function resolveSettings(options: GenerateOptions, defaults: GenerationDefaults): GenerationSettings {
  return { ...PAPER_DECODING, ...defaults, ...decodingOf(options) };
}

export function toNativeOptions(
  settings: GenerationSettings,
  call: { eosTokenIds: number[]; padTokenId: number; cudaGraph: boolean },
): NativeGenerateOptions {
  return { ...settings, ...call };
}
