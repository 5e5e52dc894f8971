/** Computes every metric of every case as columns, and their means with intervals over all cases or some. */

import {
  CATEGORY_NAMES,
  type Category,
  DEFINITIONS,
  type Definition,
  type Extraction,
  setF1,
} from '../reading/findings';
import { type BootstrapSettings, bootstrap, type Metric } from './bootstrap';
import type { Pair } from './pairs';
import {
  CaseWords,
  type Column,
  type Resources,
  TEXT_METRIC_NAMES,
  type TextMetricName,
  textMetric,
} from './text-metrics';

/** One T for each metric, under the names used in results. */
export type ByMetric<T> = Record<TextMetricName, T> & {
  clinical: Record<Definition, Record<Category, T>>;
};

export type Readings = Record<Definition, { reference: Extraction; hypothesis: Extraction }>;

export function scoreCases(
  pairs: readonly Pair[],
  readings: readonly Readings[],
  resources: Resources,
): ByMetric<Column> {
  const cases = new CaseWords(pairs);
  const texts = TEXT_METRIC_NAMES.map((name) => [name, textMetric(name).compute(cases, resources)]);
  const clinical = byDefinition((definition) =>
    byCategory((category) =>
      Float64Array.from(readings, ({ [definition]: { reference, hypothesis } }) =>
        setF1(reference[category], hypothesis[category]),
      ),
    ),
  );
  return { ...Object.fromEntries(texts), clinical };
}

/**
 * Returns means with intervals over the cases in `rows`, all drawn together. `reason` explains a missing value when
 * there are no cases.
 */
export function summarise(
  scores: ByMetric<Column>,
  rows: readonly number[],
  settings: BootstrapSettings,
  reason = 'there is no case',
): ByMetric<Metric> {
  if (rows.length === 0) return eachMetric(() => ({ unavailable: reason }));
  const columns: Float64Array[] = [];
  eachMetric((pick) => {
    const column = pick(scores);
    if (column instanceof Float64Array) columns.push(Float64Array.from(rows, (row) => column[row] as number));
  });
  const estimates = bootstrap(columns, settings).values();
  return eachMetric((pick) => {
    const column = pick(scores);
    return column instanceof Float64Array ? (estimates.next().value as Metric) : column;
  });
}

/** Takes one metric's value out of any set of them. */
export type Pick = <T>(metrics: ByMetric<T>) => T;

/** Calls `make` for each metric, always in the same order, and returns the values under the names of the metrics. */
export function eachMetric<T>(make: (pick: Pick) => T): ByMetric<T> {
  const texts = Object.fromEntries(TEXT_METRIC_NAMES.map((name) => [name, make((metrics) => metrics[name])]));
  const clinical = byDefinition((definition) =>
    byCategory((category) => make((metrics) => metrics.clinical[definition][category])),
  );
  return { ...texts, clinical } as ByMetric<T>;
}

export function byDefinition<T>(make: (definition: Definition) => T): Record<Definition, T> {
  return Object.fromEntries(DEFINITIONS.map((name) => [name, make(name)])) as Record<Definition, T>;
}

function byCategory<T>(make: (category: Category) => T): Record<Category, T> {
  return Object.fromEntries(CATEGORY_NAMES.map((name) => [name, make(name)])) as Record<Category, T>;
}
