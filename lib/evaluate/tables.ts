/** Makes the tables of an evaluation, once for Markdown, LaTeX and the page. */
import type { Difference, Metric, Unavailable } from '../metrics/bootstrap';
import type { EntityErrors } from '../metrics/case-errors';
import type { Pick } from '../metrics/case-scores';
import type { MetricScores } from '../metrics/evaluate-texts';
import { TEXT_METRIC_NAMES, textMetric } from '../metrics/text-metrics';
import { CATEGORIES, CATEGORY_NAMES, type Category, DEFINITIONS } from '../reading/findings';
import type { EvaluationResults, EvaluationRow } from './results';
import type { Comparison, Spread } from './score-rows';

export interface Cell {
  text: string;
  /** Whether it is the best of the models. */
  isBest?: boolean;
}

export interface Table {
  title: string;
  head: string[];
  rows: { cells: Cell[]; isControl: boolean }[];
}

/** A column of the tables of scores. */
interface ScoreColumn {
  head: string;
  /** Whether the narrow tables have the column too. */
  isCompared: boolean;
  pick: Pick;
}

const TEXT_COLUMNS = TEXT_METRIC_NAMES.flatMap((name): ScoreColumn[] => {
  const { head, isCompared = false } = textMetric(name);
  return head === null ? [] : [{ head, isCompared, pick: (scores) => scores[name] }];
});

const SHORT: Record<Category, string> = { laterality: 'Lat', anatomy: 'Anat', pathology: 'Path' };

/**
 * Clinical F1 by two rules: the authors', as in the paper's Table I, and the strict one, by which models are compared.
 */
const CLINICAL_COLUMNS = DEFINITIONS.flatMap((definition) =>
  CATEGORY_NAMES.map(
    (category): ScoreColumn => ({
      head: definition === 'peer' ? SHORT[category] : `${SHORT[category]} (${definition})`,
      isCompared: definition === 'strict',
      pick: (scores) => scores.clinical[definition][category],
    }),
  ),
);

const COLUMNS = [...TEXT_COLUMNS, ...CLINICAL_COLUMNS];
const COMPARED = COLUMNS.filter(({ isCompared }) => isCompared);

export function makeTables(results: EvaluationResults): Table[] {
  const { rows, cases } = results;
  const subset = (name: 'pathological' | 'healthy') => `${name} cases (${rows[0]?.subsets[name].cases})`;
  return [
    scoreTable(`All cases (${cases})`, rows, (row) => row),
    scoreTable(`Of them ${subset('pathological')}`, rows, (row) => row.subsets.pathological),
    scoreTable(`Of them ${subset('healthy')}`, rows, (row) => row.subsets.healthy),
    errorTable(rows),
    generationTable(rows),
    entityTable(rows),
    ...spreadTables(rows),
    ...results.subgroups.filter(({ unavailable }) => unavailable === null).map((group) => subgroupTable(group, rows)),
    ...comparisonTables(results),
  ];
}

function scoreTable(title: string, rows: readonly EvaluationRow[], part: (row: EvaluationRow) => MetricScores): Table {
  const picked = COLUMNS.map(({ pick }) => rows.map((row) => pick(part(row))));
  const best = picked.map((metrics) => bestOf(rows, metrics, 'highest'));
  return {
    title,
    head: ['Row', 'Phase', ...COLUMNS.map(({ head }) => head)],
    rows: rows.map((row, r) => ({
      isControl: row.kind === 'control',
      cells: [
        { text: row.name },
        { text: row.model?.phase ?? 'control' },
        ...picked.map((metrics, c) => ({ text: shown(metrics[r] as Metric), isBest: best[c]?.has(r) ?? false })),
      ],
    })),
  };
}

/**
 * Returns the best models of a column. Values are compared as numbers, to the digits that are printed, so that values
 * that look equal are equal. Controls do not compete, and neither do rows without a value; a single model is not best.
 * All tables and files use this.
 * @internal
 */
export function bestOf(
  rows: readonly { kind: EvaluationRow['kind'] }[],
  metrics: readonly Metric[],
  better: 'highest' | 'lowest',
): Set<number> {
  const sign = better === 'highest' ? 1 : -1;
  const values = metrics.map((metric) => ('mean' in metric ? sign * Number(metric.mean.toFixed(DIGITS)) : Number.NaN));
  const models = [...rows.keys()].filter((r) => rows[r]?.kind === 'model' && Number.isFinite(values[r]));
  if (models.length < 2) return new Set();
  const best = Math.max(...models.map((r) => values[r] as number));
  return new Set(models.filter((r) => values[r] === best));
}

const DIGITS = 3;

export function shown(metric: Metric): string {
  if ('unavailable' in metric) return 'n/a';
  const [low, high] = metric.ci95;
  return metric.n < 2
    ? metric.mean.toFixed(DIGITS)
    : `${metric.mean.toFixed(DIGITS)} [${low.toFixed(2)}, ${high.toFixed(2)}]`;
}

/** The rates of errors, each with the better direction. */
const RATES = [
  ['inversionRate', 'lowest'],
  ['missedLesionRate', 'lowest'],
  ['specificity', 'highest'],
  ['hallucinationRate', 'lowest'],
] as const;

function errorTable(rows: readonly EvaluationRow[]): Table {
  const columns = DEFINITIONS.flatMap((definition) =>
    RATES.map(([rate, better]) => {
      const metrics = rows.map((row) => row.errors[definition][rate]);
      return { definition, rate, metrics, best: bestOf(rows, metrics, better) };
    }),
  );
  const label = (rate: string) => rate.replace(/Rate$/, '').replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
  return {
    title: 'Errors: side inverted, lesion missed (pathological cases); specificity, hallucination (healthy cases)',
    head: ['Row', ...columns.map(({ definition, rate }) => `${label(rate)} (${definition})`)],
    rows: rows.map((row, r) => ({
      isControl: row.kind === 'control',
      cells: [
        { text: row.name },
        ...columns.map(({ metrics, best }) => ({ text: shown(metrics[r] as Metric), isBest: best.has(r) })),
      ],
    })),
  };
}

function generationTable(rows: readonly EvaluationRow[]): Table {
  return {
    title: 'Texts',
    head: ['Row', 'texts', 'failed', 'empty', 'truncated', 'degenerate', 'words (mean)', 'distinct texts'],
    rows: rows.map(({ name, kind, generations, texts: { hypotheses } }) => ({
      isControl: kind === 'control',
      cells: [
        name,
        ...(['total', 'failed', 'empty', 'truncated', 'degenerate'] as const).map((key) => String(generations[key])),
        hypotheses.words.mean.toFixed(1),
        `${(100 * hypotheses.distinctTexts).toFixed(1)} %`,
      ].map((text) => ({ text })),
    })),
  };
}

/** Precision and recall of every lobe and finding, by the strict definition. */
function entityTable(rows: readonly EvaluationRow[]): Table {
  const strict = rows.map((row) => row.errors.strict.entities);
  const share = (value: number | null) => (value === null ? '-' : value.toFixed(2));
  const names = CATEGORY_NAMES.flatMap((category) => CATEGORIES[category].map((entity) => ({ category, entity })));
  return {
    title: 'Entities (strict): precision / recall (references that name it, generations that name it)',
    head: ['Entity', ...rows.map(({ name }) => name)],
    rows: names.map(({ category, entity }) => ({
      isControl: false,
      cells: [
        { text: `${category}: ${entity}` },
        ...strict.map((entities) => {
          const { precision, recall, references, hypotheses } = entities[category][entity] as EntityErrors;
          return { text: `${share(precision)} / ${share(recall)} (${references}, ${hypotheses})` };
        }),
      ],
    })),
  };
}

/** The spread over seeds. There is none for a single seed. */
function spreadTables(rows: readonly EvaluationRow[]): Table[] {
  const sampled = rows.filter(({ spread }) => spread !== null);
  if (sampled.length === 0) return [];
  return [
    {
      title: 'Spread over seeds: standard deviation of the mean over cases (lowest to highest)',
      head: ['Row', ...COLUMNS.map(({ head }) => head)],
      rows: sampled.map(({ name, spread }) => ({
        isControl: false,
        cells: [{ text: name }, ...COLUMNS.map(({ pick }) => ({ text: shownSpread(pick(spread as Spreads)) }))],
      })),
    },
  ];
}

type Spreads = NonNullable<EvaluationRow['spread']>;

function shownSpread(spread: Spread | Unavailable): string {
  if ('unavailable' in spread) return 'n/a';
  return `${spread.standardDeviation.toFixed(3)} (${spread.min.toFixed(3)} to ${spread.max.toFixed(3)})`;
}

function subgroupTable({ name, basis }: EvaluationResults['subgroups'][number], rows: readonly EvaluationRow[]): Table {
  const lines = rows.flatMap((row) =>
    row.subgroups.filter(({ subgroup }) => subgroup === name).map((group) => ({ row, group })),
  );
  return {
    title: `By ${name}: ${basis}`,
    head: [
      'Row',
      'Group',
      'cases',
      ...COMPARED.map(({ head }) => head),
      'inversion (strict)',
      'missed lesion (strict)',
    ],
    rows: lines.map(({ row, group }) => ({
      isControl: row.kind === 'control',
      cells: [
        ...[row.name, group.group, String(group.cases)],
        ...COMPARED.map(({ pick }) => shown(pick(group))),
        ...[shown(group.errors.strict.inversionRate), shown(group.errors.strict.missedLesionRate)],
      ].map((text) => ({ text })),
    })),
  };
}

/** Differences between models, and between models and controls. */
function comparisonTables({ rows, comparisons }: EvaluationResults): Table[] {
  const controls = new Set(rows.filter(({ kind }) => kind === 'control').map(({ name }) => name));
  const table = (subset: Comparison['subset']): Table => ({
    title: `Paired bootstrap, ${subset} cases: difference [95 % interval], two-sided p, not corrected for the number of tests`,
    head: ['First', 'minus second', ...COMPARED.map(({ head }) => head)],
    rows: comparisons
      .filter((item) => item.subset === subset && !(controls.has(item.first) && controls.has(item.second)))
      .map((item) => ({
        isControl: controls.has(item.second),
        cells: [
          { text: item.first },
          { text: item.second },
          ...COMPARED.map(({ pick }) => ({ text: shownDifference(pick(item)) })),
        ],
      })),
  });
  return [table('all'), table('pathological')];
}

function shownDifference(difference: Difference | Unavailable): string {
  if ('unavailable' in difference) return 'n/a';
  const signed = (value: number, digits: number) => `${value < 0 ? '' : '+'}${value.toFixed(digits)}`;
  const [low, high] = difference.ci95.map((value) => signed(value, 2));
  return `${signed(difference.difference, 3)} [${low}, ${high}], p ${difference.p.toFixed(3)}`;
}
