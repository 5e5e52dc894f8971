/** Counts the scans and subjects of each kind in a dataset, by split. */
import { SIDES } from '../reading/laterality';
import { CLASSES, type ManifestEntry } from './manifest';
import { SPLITS, type Split } from './split';

export interface CompositionRow {
  class: string;
  laterality: string;
  /** The number of scans in each split. */
  counts: Record<Split, number>;
  total: number;
  /** The share of all scans in percent, 0 to 100. */
  percent: number;
}

export interface Composition {
  scans: number;
  subjects: number;
  /** The classes and sides that occur. */
  rows: CompositionRow[];
  totals: Record<Split, number>;
  /** The share of each split in percent, 0 to 100. */
  percents: Record<Split, number>;
}

export function composition(entries: readonly ManifestEntry[]): Composition {
  const rows = CLASSES.flatMap((name) =>
    SIDES.map((side) => row(name, side, entries)).filter(({ total }) => total > 0),
  );
  const totals = countSplits(entries);
  const percents = Object.fromEntries(SPLITS.map((split) => [split, (100 * totals[split]) / entries.length])) as Record<
    Split,
    number
  >;
  const subjects = new Set(entries.map(({ subject }) => subject)).size;
  return { scans: entries.length, subjects, rows, totals, percents };
}

function row(name: string, side: string, all: readonly ManifestEntry[]): CompositionRow {
  const own = all.filter((entry) => entry.class === name && entry.laterality === side);
  return {
    class: name,
    laterality: side,
    counts: countSplits(own),
    total: own.length,
    percent: (100 * own.length) / all.length,
  };
}

function countSplits(entries: readonly ManifestEntry[]): Record<Split, number> {
  const counts: Record<Split, number> = { train: 0, val: 0, test: 0 };
  for (const { split } of entries) counts[split]++;
  return counts;
}

/** Formats the table that `dataset build` and `dataset check` print. */
export function compositionTable({ scans, subjects, rows, totals, percents }: Composition): string[] {
  const percent = (value: number) => `${value.toFixed(1)} %`;
  const cells = [
    ['class', 'laterality', ...SPLITS, 'total', 'share'],
    ...rows.map((one) => [
      one.class,
      one.laterality,
      ...SPLITS.map((split) => String(one.counts[split])),
      String(one.total),
      percent(one.percent),
    ]),
    ['all', '', ...SPLITS.map((split) => String(totals[split])), String(scans), percent(100)],
    ['', '', ...SPLITS.map((split) => percent(percents[split])), `${subjects} subjects`, ''],
  ];
  const widths = cells[0]?.map((_, column) => Math.max(...cells.map((line) => line[column]?.length ?? 0))) ?? [];
  return cells.map((line) =>
    line
      .map((cell, column) => (column < 2 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
}
