/** Every metric of every case, as columns; and their means with intervals over all cases or some. */

import {
  CATEGORY_NAMES,
  type Category,
  DEFINITIONS,
  type Definition,
  type Extraction,
  setF1,
} from '../reading/findings';
import { bleu } from './bleu';
import { type BootstrapSettings, bootstrap, type Metric, type Unavailable } from './bootstrap';
import { cider } from './cider';
import { meteor } from './meteor';
import type { Pair } from './pairs';
import { rougeL, rougeN } from './rouge';
import { lowerWords, ptbLikeWords, rougeWords, splitWords } from './tokenize';
import type { WordNet } from './wordnet';

/** A value for each case, or why there are none. */
export type Column = Float64Array | Unavailable;

export const TEXT_METRICS = [
  'bleu1',
  'bleu4',
  'rouge1',
  'rouge2',
  'rougeL',
  'meteor',
  'bertscore',
  'cider',
  'ciderPtb',
] as const;

/** One T for each metric, under the names of results. */
export type ByMetric<T> = Record<(typeof TEXT_METRICS)[number], T> & {
  clinical: Record<Definition, Record<Category, T>>;
};

export type Readings = Record<Definition, { reference: Extraction; hypothesis: Extraction }>;

export interface Resources {
  wordNet: WordNet | Unavailable;
  /** Computed elsewhere, by a model. */
  bertscore: Column;
}

export function scoreCases(
  pairs: readonly Pair[],
  readings: readonly Readings[],
  { wordNet, bertscore }: Resources,
): ByMetric<Column> {
  const lower = pairs.map(wordsWith(lowerWords));
  const rouge = pairs.map(wordsWith(rougeWords));
  const column = <T>(items: readonly T[], score: (item: T) => number) => Float64Array.from(items, score);
  const clinical = (definition: Definition, category: Category) =>
    column(readings, ({ [definition]: { reference, hypothesis } }) => setF1(reference[category], hypothesis[category]));
  return {
    bleu1: column(lower, ([reference, hypothesis]) => bleu(reference, hypothesis, 1)),
    bleu4: column(lower, ([reference, hypothesis]) => bleu(reference, hypothesis, 4)),
    rouge1: column(rouge, ([reference, hypothesis]) => rougeN(reference, hypothesis, 1)),
    rouge2: column(rouge, ([reference, hypothesis]) => rougeN(reference, hypothesis, 2)),
    rougeL: column(rouge, ([reference, hypothesis]) => rougeL(reference, hypothesis)),
    meteor:
      'unavailable' in wordNet
        ? wordNet
        : column(lower, ([reference, hypothesis]) => meteor(reference, hypothesis, wordNet)),
    bertscore,
    cider: ciderColumn(pairs.map(wordsWith(splitWords))),
    ciderPtb: ciderColumn(pairs.map(wordsWith(ptbLikeWords))),
    clinical: byDefinition((definition) => byCategory((category) => clinical(definition, category))),
  };
}

type Words = readonly [reference: string[], hypothesis: string[]];

function wordsWith(tokenize: (text: string) => string[]): (pair: Pair) => Words {
  return ({ reference, hypothesis }) => [tokenize(reference), tokenize(hypothesis)];
}

function ciderColumn(words: readonly Words[]): Column {
  if (words.length < 2) return { unavailable: 'CIDEr weights n-grams by the corpus: it needs at least two cases' };
  return cider(
    words.map(([reference]) => reference),
    words.map(([, hypothesis]) => hypothesis),
  );
}

/** Means with intervals over the cases in `rows`, all drawn together. `reason` is for when there are none. */
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

/** What `make` gives for each metric, in one order, always. */
export function eachMetric<T>(make: (pick: Pick) => T): ByMetric<T> {
  const texts = Object.fromEntries(TEXT_METRICS.map((name) => [name, make((metrics) => metrics[name])]));
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
