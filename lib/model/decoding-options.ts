/**
 * The one list of decoding options: the range of each, the paper's value and its name on the command line. Flags,
 * checks, defaults, the native call, the record in a report and the key of an evaluation all derive from this list.
 */
import type * as v from 'valibot';
import { is } from '../base/validate';

export const MAX_TOKENS = 131072;

interface DecodingOption {
  /** The check of a value. */
  schema: v.GenericSchema;
  /**
   * The paper's value. The paper names no limit, so the value for max new tokens is the one its authors evaluate with.
   */
  paper: number | boolean;
  /** The description in `--help`; null where each command describes the flag itself. */
  help: string | null;
  /** The placeholder for the value in `--help`, for numbers with a fraction; other numbers are `n`. */
  fraction?: string;
}

/** The names are those of transformers, in camel case. */
export const DECODING_OPTIONS = {
  /** @default 256 */
  maxNewTokens: { schema: is.integer(1, MAX_TOKENS), paper: 256, help: 'longest text, in tokens (default: 256)' },
  /** @default 0 */
  minNewTokens: { schema: is.integer(0, MAX_TOKENS), paper: 0, help: 'shortest text, in tokens (default: 0)' },
  /** @default 0.1 */
  temperature: { schema: is.factor(), paper: 0.1, fraction: 't', help: 'lower is more predictable (default: 0.1)' },
  /** 0 turns it off. The default is `top_k` of the language backbone's generation_config.json, or off without one. */
  topK: {
    schema: is.integer(0, 1 << 24),
    paper: 0,
    help: "sample from the k likeliest; 0 is all (default: the language model's)",
  },
  /** @default 0.9 */
  topP: {
    schema: is.number(0, 1),
    paper: 0.9,
    fraction: 'p',
    help: 'sample from the smallest set of this probability (default: 0.9)',
  },
  /** @default 1.2 */
  repetitionPenalty: {
    schema: is.factor(),
    paper: 1.2,
    fraction: 'r',
    help: 'above 1 discourages tokens already written (default: 1.2)',
  },
  /** @default 3 */
  noRepeatNgramSize: {
    schema: is.integer(0, 64),
    paper: 3,
    help: 'no sequence of n tokens twice; 0 is off (default: 3)',
  },
  /** Always takes the most likely token; temperature, topK, topP and seed then have no effect. @default false */
  greedy: { schema: is.flag(), paper: false, help: 'always the likeliest token: no sampling' },
  /** The same seed gives the same tokens. @default 0 */
  seed: { schema: is.integer(0, Number.MAX_SAFE_INTEGER), paper: 0, help: null },
} satisfies Record<string, DecodingOption>;

type Options = typeof DECODING_OPTIONS;
export type DecodingName = keyof Options;
export const DECODING_NAMES = Object.keys(DECODING_OPTIONS) as DecodingName[];

/** The settings that decoding really used; they are reported with every text. */
export type GenerationSettings = { [Name in DecodingName]: v.InferOutput<Options[Name]['schema']> };

/** The paper's decoding settings. */
export const PAPER_DECODING = Object.fromEntries(
  DECODING_NAMES.map((name) => [name, DECODING_OPTIONS[name].paper]),
) as GenerationSettings;

/** Returns the decoding options among `options`, without those that are undefined. */
export function decodingOf(options: Partial<GenerationSettings>): Partial<GenerationSettings> {
  const given = DECODING_NAMES.filter((name) => options[name] !== undefined);
  return Object.fromEntries(given.map((name) => [name, options[name]]));
}
