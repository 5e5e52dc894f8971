/**
 * Scores all rows of the table and their groups, and tests differences between rows. It only computes, in a thread of
 * its own.
 */
import { join } from 'node:path';
import { runInWorkers } from '../base/worker-pool';
import { type Difference, pairedBootstrap, type Unavailable } from '../metrics/bootstrap';
import { type CaseClass, type CaseErrors, caseErrors } from '../metrics/case-errors';
import { type ByMetric, byDefinition, eachMetric, summarise } from '../metrics/case-scores';
import {
  type EvaluatedRuns,
  type EvaluationSettings,
  evaluateRuns,
  type MetricScores,
  type TextScores,
} from '../metrics/evaluate-texts';
import type { Pair } from '../metrics/pairs';
import type { Column } from '../metrics/text-metrics';
import { DEFINITIONS, type Definition } from '../reading/findings';
import type { Subgroup } from './subgroups';

export interface RowTexts {
  name: string;
  /** A hypothesis for each case, and BERTScore's values, for each seed. */
  runs: { pairs: Pair[]; bertscore: Column }[];
}

/** @internal */
export interface ScoreRowsJob {
  rows: RowTexts[];
  subgroups: Subgroup[];
  settings: EvaluationSettings;
}

type Rates = Omit<CaseErrors, 'lateralityConfusion' | 'entities'>;

/** The metrics of `brain3d metrics` over the cases of one group. */
export interface GroupScores extends MetricScores {
  subgroup: string;
  group: string;
  cases: number;
  errors: Record<Definition, Rates>;
}

/** The spread of a metric's means over all cases, one mean for each seed. */
export interface Spread {
  mean: number;
  /** The standard deviation of a sample: the sum is divided by seeds - 1. */
  standardDeviation: number;
  min: number;
  max: number;
}

export interface ScoredRow {
  scores: TextScores;
  /** The per-case values, for each seed and as means over seeds. */
  columns: ByMetric<Column>[];
  means: ByMetric<Column>;
  groups: GroupScores[];
  /** Null for a single seed. */
  spread: ByMetric<Spread | Unavailable> | null;
}

/** The difference of two rows over the same cases: the first minus the second. */
export interface Comparison extends ByMetric<Difference | Unavailable> {
  first: string;
  second: string;
  subset: 'all' | CaseClass;
  cases: number;
}

/** @internal */
export interface ScoreRowsResult {
  rows: ScoredRow[];
  comparisons: Comparison[];
}

export async function scoreRowsInThread(job: ScoreRowsJob, signal?: AbortSignal): Promise<ScoreRowsResult> {
  let result: ScoreRowsResult | null = null;
  await runInWorkers<ScoreRowsJob, ScoreRowsResult>({
    workerFile: join(__dirname, 'score-rows-worker.js'),
    jobs: [job],
    workers: 1,
    signal,
    onResult: (answer) => {
      result = answer;
    },
  });
  return result as unknown as ScoreRowsResult;
}

export function scoreRows({ rows, subgroups, settings }: ScoreRowsJob): ScoreRowsResult {
  const evaluated = rows.map(({ runs }) => evaluateRuns(runs, settings));
  return {
    rows: evaluated.map((row) => ({
      scores: row.scores,
      columns: row.columns,
      means: row.means,
      groups: groupScores(row, subgroups, settings),
      spread: row.columns.length < 2 ? null : eachMetric((pick) => spreadOf(row.columns.map(pick))),
    })),
    comparisons: compareRows(rows, evaluated, settings),
  };
}

function groupScores(
  { means, reads }: EvaluatedRuns,
  subgroups: readonly Subgroup[],
  settings: EvaluationSettings,
): GroupScores[] {
  return subgroups.flatMap(({ name, groups }) =>
    groups.map((group) => ({
      subgroup: name,
      group: group.name,
      cases: group.rows.length,
      ...summarise(means, group.rows, settings),
      errors: byDefinition((definition) => {
        const runs = reads[definition].map((run) => group.rows.map((row) => run[row] as (typeof run)[number]));
        const { lateralityConfusion: _, entities: __, ...rates } = caseErrors(runs, settings);
        return rates;
      }),
    })),
  );
}

function spreadOf(columns: readonly Column[]): Spread | Unavailable {
  const values: number[] = [];
  for (const column of columns) {
    if ('unavailable' in column) return column;
    values.push(column.reduce((sum, value) => sum + value, 0) / column.length);
  }
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return {
    mean,
    standardDeviation: Math.sqrt(squares / (values.length - 1)),
    min: Math.min(...values),
    max: Math.max(...values),
  };
}

/** Compares every two rows, over all cases and over each class. */
function compareRows(
  rows: readonly RowTexts[],
  evaluated: readonly EvaluatedRuns[],
  settings: EvaluationSettings,
): Comparison[] {
  const classes = evaluated[0]?.reads[DEFINITIONS[0]][0]?.map((item) => item.class) ?? [];
  const subsets = (['all', 'pathological', 'healthy'] as const).map((subset) => ({
    subset,
    cases: [...classes.keys()].filter((row) => subset === 'all' || classes[row] === subset),
  }));
  const comparisons: Comparison[] = [];
  for (const [a, first] of rows.entries()) {
    for (const [b, second] of [...rows.entries()].slice(a + 1)) {
      for (const { subset, cases } of subsets) {
        const [left, right] = [evaluated[a]?.means, evaluated[b]?.means] as [ByMetric<Column>, ByMetric<Column>];
        const differences = compare(left, right, cases, settings);
        comparisons.push({ first: first.name, second: second.name, subset, cases: cases.length, ...differences });
      }
    }
  }
  return comparisons;
}

function compare(
  left: ByMetric<Column>,
  right: ByMetric<Column>,
  rows: readonly number[],
  settings: EvaluationSettings,
): ByMetric<Difference | Unavailable> {
  if (rows.length < 2)
    return eachMetric(() => ({ unavailable: `a paired test needs two cases, there are ${rows.length}` }));
  const at = (column: Float64Array) => Float64Array.from(rows, (row) => column[row] as number);
  const pairs: [Float64Array, Float64Array][] = [];
  const missing = eachMetric((pick): Unavailable | null => {
    const [a, b] = [pick(left), pick(right)];
    if ('unavailable' in a) return a;
    if ('unavailable' in b) return b;
    pairs.push([at(a), at(b)]);
    return null;
  });
  const differences = pairedBootstrap(pairs, settings).values();
  return eachMetric((pick) => pick(missing) ?? (differences.next().value as Difference));
}
