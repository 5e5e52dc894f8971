/** Computes ROUGE [ROUGE] as rouge_score does with its stemmer: F1 over words of `rougeWords`. */
import { countNgrams, sharedCount } from '../reading/ngrams';

/** Returns the F1 of the n-grams that two texts share. */
export function rougeN(reference: readonly string[], hypothesis: readonly string[], n: 1 | 2): number {
  const shared = sharedCount(countNgrams(hypothesis, n), countNgrams(reference, n));
  return f1(shared, Math.max(0, hypothesis.length - n + 1), Math.max(0, reference.length - n + 1));
}

/** Returns the F1 of the longest common subsequence of the whole texts. */
export function rougeL(reference: readonly string[], hypothesis: readonly string[]): number {
  return f1(longestCommonSubsequence(reference, hypothesis), hypothesis.length, reference.length);
}

function f1(shared: number, ofHypothesis: number, ofReference: number): number {
  const precision = shared / Math.max(1, ofHypothesis);
  const recall = shared / Math.max(1, ofReference);
  return precision + recall > 0 ? (2 * precision * recall) / (precision + recall) : 0;
}

function longestCommonSubsequence(a: readonly string[], b: readonly string[]): number {
  let row = new Uint32Array(b.length + 1);
  let next = new Uint32Array(b.length + 1);
  for (const word of a) {
    for (let j = 1; j <= b.length; j++)
      next[j] = word === b[j - 1] ? (row[j - 1] as number) + 1 : Math.max(row[j] as number, next[j - 1] as number);
    [row, next] = [next, row];
  }
  return row[b.length] as number;
}
