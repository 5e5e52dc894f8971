/** Computes METEOR [METEOR] as nltk does: alpha 0.9, beta 3, gamma 0.5; words of `lowerWords`. */
import { stem } from './porter';
import type { WordNet } from './wordnet';

const ALPHA = 0.9;
const BETA = 3;
const GAMMA = 0.5;

interface Word {
  position: number;
  text: string;
}

export type Match = readonly [hypothesis: number, reference: number];

/** Returns a score in [0, 1); identical texts do not give 1. */
export function meteor(reference: readonly string[], hypothesis: readonly string[], wordNet: WordNet): number {
  const matches = align(reference, hypothesis, wordNet);
  const m = matches.length;
  if (m === 0) return 0;
  const precision = m / hypothesis.length;
  const recall = m / reference.length;
  const mean = (precision * recall) / (ALPHA * precision + (1 - ALPHA) * recall);
  return (1 - GAMMA * (chunksOf(matches) / m) ** BETA) * mean;
}

/**
 * Matches exact words, then stems, then synonyms of the words that are left. The matches are sorted by the hypothesis'
 * position.
 */
export function align(reference: readonly string[], hypothesis: readonly string[], wordNet: WordNet): Match[] {
  const matches: Match[] = [];
  const number = (words: readonly string[]) => words.map((text, position): Word => ({ position, text }));
  // nltk passes the stemmed words on, so synonyms are looked up for stems.
  const stemmed = (words: readonly Word[]) => words.map(({ position, text }) => ({ position, text: stem(text) }));
  const onlyItself = (word: string) => [word];
  let left = { hypothesis: number(hypothesis), reference: number(reference) };
  left = matchStage(left.hypothesis, left.reference, onlyItself, matches);
  left = matchStage(stemmed(left.hypothesis), stemmed(left.reference), onlyItself, matches);
  matchStage(left.hypothesis, left.reference, (word) => wordNet.synonyms(word), matches);
  return matches.sort(([a], [b]) => a - b);
}

/**
 * Lets the hypothesis' words, from last to first, each take the last unused word of the reference that is one of their
 * candidates. Adds to `matches` and returns the words that are left.
 */
function matchStage(
  hypothesis: readonly Word[],
  reference: readonly Word[],
  candidatesOf: (word: string) => Iterable<string>,
  matches: Match[],
): { hypothesis: Word[]; reference: Word[] } {
  const unused = new Map<string, number[]>();
  for (const { position, text } of reference) {
    const positions = unused.get(text);
    if (positions === undefined) unused.set(text, [position]);
    else positions.push(position);
  }
  const used = { hypothesis: new Set<number>(), reference: new Set<number>() };
  for (const { position, text } of hypothesis.toReversed()) {
    let best: number[] | undefined;
    for (const candidate of candidatesOf(text)) {
      const positions = unused.get(candidate);
      if ((positions?.at(-1) ?? -1) > (best?.at(-1) ?? -1)) best = positions;
    }
    const taken = best?.pop();
    if (taken === undefined) continue;
    matches.push([position, taken]);
    used.hypothesis.add(position);
    used.reference.add(taken);
  }
  return {
    hypothesis: hypothesis.filter(({ position }) => !used.hypothesis.has(position)),
    reference: reference.filter(({ position }) => !used.reference.has(position)),
  };
}

/** Counts the maximal runs of matches that are contiguous in both texts. */
function chunksOf(matches: readonly Match[]): number {
  let chunks = 0;
  let previous: Match | null = null;
  for (const match of matches) {
    if (previous === null || match[0] !== previous[0] + 1 || match[1] !== previous[1] + 1) chunks++;
    previous = match;
  }
  return chunks;
}
