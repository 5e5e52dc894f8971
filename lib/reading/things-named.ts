/** Finds things that a denial names as known. They are present, whatever is denied of them. */
import type { Range } from './clause-facts';
import { AUXILIARIES, BE, DEFINITE, isEdema, isFiniteVerb, isThing, PREPOSITIONS, STATIC } from './vocabulary';
import type { Word } from './words';

const AT_THINGS = new Set(
  'of in on at around near within inside by from surrounding beside to between about along'.split(' '),
);
const PROCESS = /^(?:exten|spread|inva|infiltrat|involve|cross|progress|growth)/;
const MOST_MODIFIERS = 6;

/** Finds the known things and their places, as in "No necrosis in the left lesion", where the lesion is present. */
export function thingsNamed(words: readonly Word[], { from, to }: Range): Range[] {
  const named: Range[] = [];
  let isProcess = false;
  for (let i = from; i < to; i++) {
    const { text } = words[i] as Word;
    isProcess ||= PROCESS.test(text);
    // In "None of the lesions" the trigger ends before the preposition, or with it.
    const begin = AT_THINGS.has(text) || (isFiniteVerb(text) && !BE.has(text) && !AUXILIARIES.has(text)) ? i + 1 : -1;
    if (begin === -1 || !DEFINITE.has(words[begin]?.text ?? '')) continue;
    const thing = headOf(words, begin + 1, to);
    if (thing === -1) continue;
    const end = isProcess ? thing + 1 : placeEnd(words, thing + 1, to);
    named.push({ from: i, to: end });
    i = end - 1;
  }
  return named;
}

function headOf(words: readonly Word[], begin: number, to: number): number {
  for (let i = begin; i < Math.min(to, begin + MOST_MODIFIERS); i++) {
    const { text, isMark } = words[i] as Word;
    if (isThing(text, words[i + 1]?.text) || isEdema(text)) return i;
    if (isMark || PREPOSITIONS.has(text) || isFiniteVerb(text)) return -1;
  }
  return -1;
}

/** Finds the end of a place behind a thing, such as "in the left frontal lobe". */
function placeEnd(words: readonly Word[], begin: number, to: number): number {
  let i = begin;
  while (i < to && STATIC.has((words[i] as Word).text)) {
    i++;
    while (i < to && !(words[i] as Word).isMark && !PREPOSITIONS.has((words[i] as Word).text)) {
      if (isFiniteVerb((words[i] as Word).text) || BE.has((words[i] as Word).text)) return i;
      i++;
    }
  }
  return i;
}
