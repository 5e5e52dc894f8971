/** Computes BLEU [BLEU] of one sentence against one reference, smoothed by nltk's method 1. */
import { countNgrams, sharedCount } from '../reading/ngrams';

const EPSILON = 0.1;

/** Returns BLEU-1 or BLEU-4, in [0, 1]. */
export function bleu(reference: readonly string[], hypothesis: readonly string[], order: 1 | 4): number {
  let logarithms = 0;
  for (let n = 1; n <= order; n++) {
    const matches = sharedCount(countNgrams(hypothesis, n), countNgrams(reference, n));
    // Smoothing is for the longer n-grams of texts that share a word.
    if (n === 1 && matches === 0) return 0;
    logarithms += Math.log((matches || EPSILON) / Math.max(1, hypothesis.length - n + 1)) / order;
  }
  return brevityPenalty(reference.length, hypothesis.length) * Math.exp(logarithms);
}

function brevityPenalty(reference: number, hypothesis: number): number {
  return hypothesis > reference ? 1 : Math.exp(1 - reference / hypothesis);
}
