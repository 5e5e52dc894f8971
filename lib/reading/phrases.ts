/** A small notation for sequences of words, and a search for the longest match at a position. */
import type { Word } from './words';

interface Part {
  words: ReadonlySet<string>;
  /** Beginnings of words. */
  stems: readonly string[];
  isOptional: boolean;
  /** The part may come up to `MOST` times. */
  isRepeated: boolean;
  /** The part is the end of the words, or a punctuation mark, and takes no word. */
  isEnd: boolean;
  /** The part must follow, and does not belong to the match. */
  isAhead: boolean;
}

export interface Phrase<T> {
  parts: readonly Part[];
  value: T;
}

const MOST = 4;

/**
 * @param notation parts divided by spaces: alternatives `a|b`, `stem~` for all words that begin so, `$NAME` for the
 *   words of a set; `?` behind a part that may be missing, `*` behind one that may come up to four times or not at all;
 *   `%` at the end for the end of the clause or a punctuation mark, `=a|b` at the end for words that must follow and
 *   are no part of it
 */
export function phrase<T>(notation: string, value: T, sets: Record<string, string>): Phrase<T> {
  const parts = notation.split(' ').map((part): Part => {
    const sign = part.at(-1);
    const isRepeated = sign === '*';
    const isOptional = isRepeated || sign === '?';
    const isAhead = sign !== undefined && part.startsWith('=');
    const names = part
      .slice(isAhead ? 1 : 0, isOptional ? -1 : undefined)
      .split('|')
      .flatMap((name) => (name.startsWith('$') ? (sets[name.slice(1)] as string).split(' ') : [name]));
    const stems = names.filter((name) => name.endsWith('~')).map((name) => name.slice(0, -1));
    return {
      isEnd: part === '%',
      isAhead,
      words: new Set(names.filter((name) => !name.endsWith('~'))),
      stems,
      isOptional,
      isRepeated,
    };
  });
  return { parts, value };
}

/** Finds phrases in time proportional to the words. Each position looks at a bounded number of them. */
export class Phrasebook<T> {
  readonly #byWord = new Map<string, Phrase<T>[]>();
  readonly #byStem: Phrase<T>[] = [];

  /** @param phrases the first of two that match equally long wins; none may begin with a part that can be missing */
  constructor(phrases: readonly Phrase<T>[]) {
    for (const item of phrases) {
      const [first] = item.parts as [Part];
      for (const word of first.words) this.#byWord.set(word, [...(this.#byWord.get(word) ?? []), item]);
      if (first.stems.length > 0) this.#byStem.push(item);
    }
  }

  /** Returns the longest phrase that begins at `at`; null if there is none. */
  matchAt(words: readonly Word[], at: number): { end: number; value: T } | null {
    let longest: { end: number; value: T } | null = null;
    const named = this.#byWord.get((words[at] as Word).text) ?? [];
    for (const item of [...named, ...this.#byStem]) {
      const end = endOf(item.parts, words, at);
      if (end !== null && end > (longest?.end ?? 0)) longest = { end, value: item.value };
    }
    return longest;
  }
}

function endOf(parts: readonly Part[], words: readonly Word[], at: number): number | null {
  let end = at;
  for (const part of parts) {
    if (part.isEnd) {
      if (end < words.length && !(words[end] as Word).isMark) return null;
      continue;
    }
    if (part.isAhead) {
      if (end >= words.length || !fits(part, (words[end] as Word).text)) return null;
      continue;
    }
    const most = part.isRepeated ? MOST : 1;
    let count = 0;
    while (count < most && end < words.length && fits(part, (words[end] as Word).text)) {
      end++;
      count++;
    }
    if (count === 0 && !part.isOptional) return null;
  }
  return end;
}

function fits({ words, stems }: Part, text: string): boolean {
  return words.has(text) || stems.some((stem) => text.startsWith(stem));
}
