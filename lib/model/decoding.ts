/** Decoding options: the caller's, over the checkpoint's and the model directory's, over the paper's. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import { Brain3DError } from '../base/errors';
import { is, parseOptions } from '../base/validate';
import { readJsonFile } from '../checkpoint/backbone';
import type { NativeGenerateOptions } from '../native/surface';
import { limitEntries } from '../volume/input-limits';
import { checkStripOptions, stripEntries } from '../volume/skull-strip';

const MAX_TOKENS = 131072;

/** Field names as transformers has them, in camel case. */
export const generateEntries = {
  /** Default: the prompt the checkpoint was made with. */
  prompt: v.optional(is.text()),
  /** @default 256 */
  maxNewTokens: v.optional(is.integer(1, MAX_TOKENS)),
  /** @default 0 */
  minNewTokens: v.optional(is.integer(0, MAX_TOKENS)),
  /** @default 0.1 */
  temperature: v.optional(is.factor()),
  /** 0 is off. Default: generation_config.json of the language backbone, else off. */
  topK: v.optional(is.integer(0, 1 << 24)),
  /** @default 0.9 */
  topP: v.optional(is.number(0, 1)),
  /** @default 1.2 */
  repetitionPenalty: v.optional(is.factor()),
  /** @default 3 */
  noRepeatNgramSize: v.optional(is.integer(0, 64)),
  /** Always the most likely token; temperature, topK, topP and seed then have no effect. @default false */
  greedy: v.optional(is.flag()),
  /** Same seed, same tokens. @default 0 */
  seed: v.optional(is.integer(0, Number.MAX_SAFE_INTEGER)),
  /** Replay captured CUDA graphs instead of launching every kernel; no effect on the CPU or on tokens. @default false */
  cudaGraph: v.optional(is.flag()),
  /** Volumes decoded together. @default 8 */
  batchSize: v.optional(is.integer(1, 1024)),
  ...stripEntries,
  signal: v.optional(is.signal()),
};

const GenerateSchema = v.object({ ...generateEntries, ...limitEntries });
export type GenerateOptions = v.InferInput<typeof GenerateSchema>;

/** What decoding really used; reported with every text. */
export interface GenerationSettings {
  maxNewTokens: number;
  minNewTokens: number;
  temperature: number;
  topK: number;
  topP: number;
  repetitionPenalty: number;
  noRepeatNgramSize: number;
  greedy: boolean;
  seed: number;
}

/** The paper's decoding; it names no limit, so max new tokens is the one its authors evaluate with. */
const PAPER: GenerationSettings = {
  maxNewTokens: 256,
  minNewTokens: 0,
  temperature: 0.1,
  topK: 0,
  topP: 0.9,
  repetitionPenalty: 1.2,
  noRepeatNgramSize: 3,
  greedy: false,
  seed: 0,
};

/** What of `generation_config.json` applies: the authors set every other value themselves. */
export interface GenerationDefaults {
  topK: number;
}

const GenerationConfig = v.object({ top_k: v.optional(v.nullable(is.integer(0, 1 << 24))) });

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

/** Validated options of `model.generate` and `model.stream`. */
export function parseGenerateOptions(where: string, options: unknown): v.InferOutput<typeof GenerateSchema> {
  const parsed = parseOptions(where, GenerateSchema, options);
  checkStripOptions(where, parsed);
  const max = parsed.maxNewTokens ?? PAPER.maxNewTokens;
  if (parsed.minNewTokens !== undefined && parsed.minNewTokens > max)
    throw new RangeError(`${where}: expected minNewTokens <= maxNewTokens (${max}), got ${parsed.minNewTokens}`);
  return parsed;
}

export function resolveSettings(options: GenerateOptions, defaults: GenerationDefaults): GenerationSettings {
  return {
    maxNewTokens: options.maxNewTokens ?? PAPER.maxNewTokens,
    minNewTokens: options.minNewTokens ?? PAPER.minNewTokens,
    temperature: options.temperature ?? PAPER.temperature,
    topK: options.topK ?? defaults.topK,
    topP: options.topP ?? PAPER.topP,
    repetitionPenalty: options.repetitionPenalty ?? PAPER.repetitionPenalty,
    noRepeatNgramSize: options.noRepeatNgramSize ?? PAPER.noRepeatNgramSize,
    greedy: options.greedy ?? PAPER.greedy,
    seed: options.seed ?? PAPER.seed,
  };
}

export function toNativeOptions(
  settings: GenerationSettings,
  call: { eosTokenIds: number[]; padTokenId: number; cudaGraph: boolean },
): NativeGenerateOptions {
  return { ...settings, ...call };
}
