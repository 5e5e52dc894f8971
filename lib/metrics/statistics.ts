/**
 * Measures the length, repetition and variety of texts. A mean score does not show that a model writes one sentence
 * forever.
 */
import { countNgrams } from '../reading/ngrams';
import { lowerWords } from './tokenize';

export interface TextStatistics {
  /** The number of texts without a word. */
  empty: number;
  /** The number of words in a text. */
  words: { mean: number; median: number; min: number; max: number };
  /** The mean share of a text's 4-grams that occurred earlier in it; a text without 4-grams counts as 0. */
  repeated4grams: number;
  /** The share of texts in which a sentence stands twice. */
  repeatedSentences: number;
  /** The longest run of one word in a row. */
  longestRun: number;
  /** The number of different words, and of different pairs of words, over the number of all; 0 if there are none. */
  distinct1: number;
  distinct2: number;
  /** The number of different texts over the number of all, and the share of the commonest. */
  distinctTexts: number;
  commonestText: number;
}

const REPEATED_ORDER = 4;

/** Measures at least one text. Words are lower-cased, with punctuation attached. */
export function textStatistics(texts: readonly string[]): TextStatistics {
  const worded = texts.map(lowerWords);
  const lengths = worded.map((words) => words.length);
  const sorted = lengths.toSorted((a, b) => a - b);
  const copies = counts(worded.map((words) => words.join(' ')));
  return {
    empty: lengths.filter((length) => length === 0).length,
    words: { mean: average(lengths), median: median(sorted), min: sorted[0] as number, max: sorted.at(-1) as number },
    repeated4grams: average(worded.map(repeatedShare)),
    repeatedSentences: average(texts.map((text) => (hasRepeatedSentence(text) ? 1 : 0))),
    longestRun: worded.reduce((longest, words) => Math.max(longest, runOf(words)), 0),
    distinct1: distinct(worded, 1),
    distinct2: distinct(worded, 2),
    distinctTexts: copies.size / texts.length,
    commonestText: [...copies.values()].reduce((most, count) => Math.max(most, count), 0) / texts.length,
  };
}

/** The share of repeated 4-grams from which a text counts as repeating itself. */
const DEGENERATE_SHARE = 0.2;
const DEGENERATE_RUN = 4;

/** Whether a text repeats itself: a sentence twice, a word four times in a row, or a fifth of its 4-grams repeated. */
export function isDegenerate(text: string): boolean {
  const words = lowerWords(text);
  return hasRepeatedSentence(text) || runOf(words) >= DEGENERATE_RUN || repeatedShare(words) >= DEGENERATE_SHARE;
}

function average(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function median(sorted: readonly number[]): number {
  const middle = (sorted.length - 1) / 2;
  return ((sorted[Math.floor(middle)] as number) + (sorted[Math.ceil(middle)] as number)) / 2;
}

function counts(items: readonly string[]): Map<string, number> {
  return countNgrams(items, 1);
}

function repeatedShare(words: readonly string[]): number {
  const total = words.length - REPEATED_ORDER + 1;
  return total > 0 ? 1 - countNgrams(words, REPEATED_ORDER).size / total : 0;
}

function hasRepeatedSentence(text: string): boolean {
  const sentences = text
    .toLowerCase()
    .split(/[.!?]+(?=\s|$)|\n/)
    .map((sentence) => sentence.trim())
    .filter((sentence) => sentence !== '');
  return new Set(sentences).size < sentences.length;
}

function runOf(words: readonly string[]): number {
  let longest = 0;
  let run = 0;
  for (const [i, word] of words.entries()) {
    run = word === words[i - 1] ? run + 1 : 1;
    longest = Math.max(longest, run);
  }
  return longest;
}

function distinct(worded: readonly (readonly string[])[], n: number): number {
  const different = new Set<string>();
  let total = 0;
  for (const words of worded) {
    for (const [ngram, count] of countNgrams(words, n)) {
      different.add(ngram);
      total += count;
    }
  }
  return total > 0 ? different.size / total : 0;
}
