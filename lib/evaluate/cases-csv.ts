/** Writes `cases.csv`, with a line for each row of the table, case and seed. */

import { toSnake } from '../base/key-case';
import type { ManifestEntry } from '../dataset/manifest';
import { type ByMetric, eachMetric } from '../metrics/case-scores';
import { type Column, TEXT_METRIC_NAMES } from '../metrics/text-metrics';
import { CATEGORY_NAMES, DEFINITIONS } from '../reading/findings';
import { extractLaterality } from '../reading/laterality';
import type { CaseText } from './generate-cases';
import { type Row, textFlags } from './results';
import type { CaseTraits } from './subgroups';

type Cell = string | number | boolean | null;

/** The names of the metrics' columns, in the order of `eachMetric`. */
const METRIC_COLUMNS = [
  ...TEXT_METRIC_NAMES.map(toSnake),
  ...DEFINITIONS.flatMap((definition) => CATEGORY_NAMES.map((category) => `${definition}_${category}`)),
];

const HEADER = [
  ...['row', 'seed', 'id', 'class', 'source', 'laterality'],
  ...['lesion_ml', 'lesion_count', 'focality', 'focality_basis'],
  ...['empty', 'truncated', 'degenerate', 'failed', 'error_code', 'error_message'],
  ...['reference_side', 'hypothesis_side'],
  ...METRIC_COLUMNS,
  ...['reference', 'hypothesis'],
];

export function casesCsv(
  entries: readonly ManifestEntry[],
  traits: readonly CaseTraits[],
  rows: readonly { row: Row; columns: readonly ByMetric<Column>[] }[],
): string {
  const lines: Cell[][] = [HEADER];
  for (const { row, columns } of rows) {
    for (const [r, { seed, texts }] of row.runs.entries()) {
      for (const [i, entry] of entries.entries()) {
        const { id, class: kind, source, laterality, report } = entry;
        const { lesionMl, lesionCount, focality, focalityBasis } = traits[i] as CaseTraits;
        const made = texts[i] as CaseText;
        const { empty, truncated, degenerate, failed } = textFlags(made);
        lines.push([
          ...[row.name, seed, id, kind, source, laterality],
          ...[lesionMl, lesionCount, focality, focalityBasis],
          ...[empty, truncated, degenerate, failed, made.error?.code ?? null, made.error?.message ?? null],
          ...[extractLaterality(report).side, extractLaterality(made.text).side],
          ...valuesAt(columns[r] as ByMetric<Column>, i),
          ...[report, made.text],
        ]);
      }
    }
  }
  return lines.map((line) => `${line.map(quoted).join(',')}\n`).join('');
}

function valuesAt(columns: ByMetric<Column>, row: number): Cell[] {
  const values: Cell[] = [];
  eachMetric((pick) => {
    const column = pick(columns);
    values.push(column instanceof Float64Array ? (column[row] as number) : null);
  });
  return values;
}

/** The characters that spreadsheets take for the beginning of a formula. */
const FORMULA = /^[=+\-@\t\r]/;

/**
 * Quotes a cell by RFC 4180; null is an empty field. A text that a spreadsheet would run gets an apostrophe in front.
 */
function quoted(cell: Cell): string {
  const text = cell === null ? '' : typeof cell === 'string' && FORMULA.test(cell) ? `'${cell}` : String(cell);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
