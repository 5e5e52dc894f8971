/** Computes once the facts of a clause that its scopes ask for repeatedly, so that reading stays linear. */
import { BREAKS, isCompression, isEdema, isFiniteVerb, isSideOrPlace, isThing, LISTS } from './vocabulary';
import type { Word } from './words';

/** The words of a clause from `from` up to `to`. */
export interface Range {
  from: number;
  to: number;
}

/** Facts about the words before and behind each position of a clause. */
export interface ClauseFacts {
  words: readonly Word[];
  /** The number of finite verbs before each word. */
  verbs: Int32Array;
  things: Int32Array;
  /** The next comma or bracket, the next finite verb, the next "or" and the next list word, from each word on. */
  nextBreak: Int32Array;
  nextVerb: Int32Array;
  nextOr: Int32Array;
  nextList: Int32Array;
  previousBreak: Int32Array;
  previousWith: Int32Array;
  places: Int32Array;
}

export function factsOf(words: readonly Word[]): ClauseFacts {
  const count = (is: (i: number) => boolean) => {
    const counts = new Int32Array(words.length + 1);
    for (let i = 0; i < words.length; i++) counts[i + 1] = (counts[i] as number) + (is(i) ? 1 : 0);
    return counts;
  };
  const next = (is: (text: string) => boolean) => {
    const places = new Int32Array(words.length + 1).fill(words.length);
    for (let i = words.length - 1; i >= 0; i--) places[i] = is((words[i] as Word).text) ? i : (places[i + 1] as number);
    return places;
  };
  const textAt = (i: number) => (words[i] as Word).text;
  const previousBreak = new Int32Array(words.length + 1).fill(-1);
  const previousWith = new Int32Array(words.length + 1).fill(-1);
  for (let i = 0; i < words.length; i++) previousWith[i + 1] = textAt(i) === 'with' ? i : (previousWith[i] as number);
  // A colon divides a title from its statement; the two are one part.
  for (let i = 0; i < words.length; i++)
    previousBreak[i + 1] = BREAKS.has(textAt(i)) && textAt(i) !== ':' ? i : (previousBreak[i] as number);
  return {
    words,
    verbs: count((i) => isFiniteVerb(textAt(i))),
    things: count((i) => isThing(textAt(i), words[i + 1]?.text) || isEdema(textAt(i)) || isCompression(textAt(i))),
    places: count((i) => isSideOrPlace(textAt(i))),
    nextBreak: next((text) => BREAKS.has(text)),
    nextVerb: next(isFiniteVerb),
    nextOr: next((text) => text === 'or' || text === 'nor'),
    nextList: next((text) => LISTS.has(text)),
    previousBreak,
    previousWith,
  };
}
