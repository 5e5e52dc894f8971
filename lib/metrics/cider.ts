/** Computes CIDEr-D [CIDER] as pycocoevalcap does, with one reference for each case. */
import { countNgrams } from '../reading/ngrams';

const ORDERS = [1, 2, 3, 4] as const;
const SIGMA = 6;

interface Vector {
  weights: Map<string, number>;
  norm: number;
}

/**
 * Returns the score of every case, in [0, 10]. The weights of n-grams are those of the whole corpus of references, so a
 * case's score depends on the others. On fewer than two cases every score is 0; the caller must refuse them.
 */
export function cider(
  references: readonly (readonly string[])[],
  hypotheses: readonly (readonly string[])[],
): Float64Array {
  const logCases = Math.log(references.length);
  const scores = new Float64Array(references.length);
  for (const n of ORDERS) {
    const counted = references.map((words) => countNgrams(words, n));
    const documents = new Map<string, number>();
    for (const counts of counted)
      for (const ngram of counts.keys()) documents.set(ngram, (documents.get(ngram) ?? 0) + 1);
    const vectorOf = (counts: ReadonlyMap<string, number>): Vector => {
      const weights = new Map<string, number>();
      let squares = 0;
      for (const [ngram, count] of counts) {
        const weight = count * (logCases - Math.log(documents.get(ngram) ?? 1));
        weights.set(ngram, weight);
        squares += weight * weight;
      }
      return { weights, norm: Math.sqrt(squares) };
    };
    for (const [i, reference] of counted.entries()) {
      const hypothesis = hypotheses[i] as readonly string[];
      const similarity = similarityOf(vectorOf(countNgrams(hypothesis, n)), vectorOf(reference));
      const delta = bigrams(hypothesis) - bigrams(references[i] as readonly string[]);
      scores[i] =
        (scores[i] as number) + (10 / ORDERS.length) * similarity * Math.exp(-(delta ** 2) / (2 * SIGMA ** 2));
    }
  }
  return scores;
}

/** Returns the length that pycocoevalcap compares: it counts n-grams at index 1, which are those of two words. */
function bigrams(words: readonly string[]): number {
  return Math.max(0, words.length - 1);
}

/** The cosine, with the hypothesis' weights clipped to the reference's. */
function similarityOf(hypothesis: Vector, reference: Vector): number {
  if (hypothesis.norm === 0 || reference.norm === 0) return 0;
  let product = 0;
  for (const [ngram, weight] of hypothesis.weights) {
    const other = reference.weights.get(ngram) ?? 0;
    product += Math.min(weight, other) * other;
  }
  return product / (hypothesis.norm * reference.norm);
}
