/**
 * The one list of metrics on texts: how each is computed and where it is shown. Results, tables, files and the command
 * line show the metrics of this list in its order. A new metric is a function in a file of its own and an entry here.
 */
import { bleu } from './bleu';
import type { Unavailable } from './bootstrap';
import { cider } from './cider';
import { meteor } from './meteor';
import type { Pair } from './pairs';
import { rougeL, rougeN } from './rouge';
import { lowerWords, ptbLikeWords, rougeWords, splitWords } from './tokenize';
import type { WordNet } from './wordnet';

/** A value for each case, or the reason why there are none. */
export type Column = Float64Array | Unavailable;

/** The resources that some metrics need besides the texts. */
export interface Resources {
  wordNet: WordNet | Unavailable;
  /** Values that a model computes elsewhere. */
  bertscore: Column;
}

interface TextMetric {
  /** The head of its column in tables; null for one that only results and files show. */
  head: string | null;
  /** Whether the tables of differences and of subgroups, which are narrow, have it too. */
  isCompared?: boolean;
  compute(cases: CaseWords, resources: Resources): Column;
}

/** The heads are those of the paper's Table I. The definitions are in docs/metrics.md. */
export const TEXT_METRICS = {
  bleu1: {
    head: 'B-1',
    compute: (cases) => cases.eachLower((reference, hypothesis) => bleu(reference, hypothesis, 1)),
  },
  bleu4: {
    head: 'B-4',
    isCompared: true,
    compute: (cases) => cases.eachLower((reference, hypothesis) => bleu(reference, hypothesis, 4)),
  },
  rouge1: {
    head: 'R-1',
    compute: (cases) => cases.eachRouge((reference, hypothesis) => rougeN(reference, hypothesis, 1)),
  },
  rouge2: {
    head: 'R-2',
    compute: (cases) => cases.eachRouge((reference, hypothesis) => rougeN(reference, hypothesis, 2)),
  },
  rougeL: { head: 'R-L', isCompared: true, compute: (cases) => cases.eachRouge(rougeL) },
  meteor: {
    head: 'METEOR',
    compute: (cases, { wordNet }) =>
      'unavailable' in wordNet
        ? wordNet
        : cases.eachLower((reference, hypothesis) => meteor(reference, hypothesis, wordNet)),
  },
  bertscore: { head: 'BERTScore', compute: (_, { bertscore }) => bertscore },
  cider: { head: 'CIDEr', isCompared: true, compute: (cases) => ciderColumn(cases.words(splitWords)) },
  ciderPtb: { head: null, compute: (cases) => ciderColumn(cases.words(ptbLikeWords)) },
} satisfies Record<string, TextMetric>;

export type TextMetricName = keyof typeof TEXT_METRICS;
export const TEXT_METRIC_NAMES = Object.keys(TEXT_METRICS) as TextMetricName[];

/** Returns the entry of a metric, typed as `TextMetric`. */
export function textMetric(name: TextMetricName): TextMetric {
  return TEXT_METRICS[name];
}

type Words = readonly [reference: string[], hypothesis: string[]];

/** The words of all cases. A division into words that several metrics read is made once. */
export class CaseWords {
  readonly #pairs: readonly Pair[];
  readonly #divided = new Map<(text: string) => string[], Words[]>();

  constructor(pairs: readonly Pair[]) {
    this.#pairs = pairs;
  }

  words(tokenize: (text: string) => string[]): readonly Words[] {
    const known = this.#divided.get(tokenize);
    if (known !== undefined) return known;
    const words = this.#pairs.map(({ reference, hypothesis }): Words => [tokenize(reference), tokenize(hypothesis)]);
    this.#divided.set(tokenize, words);
    return words;
  }

  eachLower(score: (reference: string[], hypothesis: string[]) => number): Float64Array {
    return Float64Array.from(this.words(lowerWords), (words) => score(...words));
  }

  eachRouge(score: (reference: string[], hypothesis: string[]) => number): Float64Array {
    return Float64Array.from(this.words(rougeWords), (words) => score(...words));
  }
}

function ciderColumn(words: readonly Words[]): Column {
  if (words.length < 2) return { unavailable: 'CIDEr weights n-grams by the corpus: it needs at least two cases' };
  return cider(
    words.map(([reference]) => reference),
    words.map(([, hypothesis]) => hypothesis),
  );
}
