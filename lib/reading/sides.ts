/** Finds words that name one side or both sides. */
import { isBrain } from './vocabulary';
import type { Word } from './words';

export type SideKind = 'left' | 'right' | 'both' | 'crossing' | 'other-half';

export interface SideWords {
  kind: SideKind;
  /** Indices of words, from `from` up to `to`. */
  from: number;
  to: number;
}

const LEFT = /^(?:left(?:wards?|sided)?|lt)$/;
const RIGHT = /^(?:right(?:wards?|sided)?|rt)$/;
const PAIRED =
  /^(?:hemispheres|sides|lobes|ventricles|horns|thalami|ganglia|insulae?|insulas|hippocampi|poles|cortices|peduncles|temporal|frontal|parietal|occipital|convexities|amygdalae|gyri|capsules|caudates|putamina)$/;
const CROSSING = /^(?:cross\w*|beyond|across|through|travers\w*|span\w*|bridg\w*)$/;
const MORE = new Set(['>', '<', '=', 'greater', 'more', 'less', 'larger', 'worse']);

/** Returns all sides named in a clause, in order; none overlap. */
export function sidesIn(words: readonly Word[], report: string): SideWords[] {
  const sides: SideWords[] = [];
  for (let i = 0; i < words.length; ) {
    const found = sideAt(words, i, report);
    if (found !== null) sides.push(found);
    i = found?.to ?? i + 1;
  }
  return sides;
}

function sideAt(words: readonly Word[], i: number, report: string): SideWords | null {
  const { text } = words[i] as Word;
  const to = bothEnd(words, i, report) ?? pairEnd(words, i, report);
  if (to !== null) return { kind: 'both', from: i, to };
  const crossed = CROSSING.test(text) ? crossingEnd(words, i) : null;
  if (crossed !== null) return { kind: 'crossing', from: i, to: crossed };
  const half = halfOf(words, i, report);
  if (half !== null) return { kind: half, from: i, to: i + 1 };
  const isOtherHalf = (text === 'contralateral' || text === 'opposite') && isOtherHalfAt(words, i + 1);
  return isOtherHalf ? { kind: 'other-half', from: i, to: i + 1 } : null;
}

/** Whether "contralateral" and a part of the brain stand here. */
function isOtherHalfAt(words: readonly Word[], i: number): boolean {
  const next = words[i]?.text ?? '';
  return isBrain(next) || next === 'side';
}

function halfOf(words: readonly Word[], i: number, report: string): 'left' | 'right' | null {
  const word = words[i];
  if (word === undefined) return null;
  if (LEFT.test(word.text)) return isVerb(words, i) ? null : 'left';
  if (RIGHT.test(word.text)) return isAdverb(words, i) ? null : 'right';
  if ((word.text === 'l' || word.text === 'r') && isInitial(words, i, report))
    return word.text === 'l' ? 'left' : 'right';
  return null;
}

/** Whether "left" is a verb: "What is left of it", "left untreated". */
function isVerb(words: readonly Word[], i: number): boolean {
  const next = words[i + 1]?.text ?? '';
  if (/^(?:over|behind|untreated|alone|unchanged|untouched)$/.test(next)) return true;
  return words[i - 1]?.text === 'is' && words[i - 2]?.text === 'what';
}

/** Whether "right" is an adverb: "Right at", "right now", unless it is "on the right". */
function isAdverb(words: readonly Word[], i: number): boolean {
  const next = words[i + 1]?.text ?? '';
  if (/^(?:away|now|after|before)$/.test(next)) return true;
  return (
    /^(?:next|above|below|behind|beneath|beside|at|up|through|in|on)$/.test(next) && !isNominal(words[i - 1]?.text)
  );
}

/** Whether a word can stand before a side that is a noun or ends a predicate of place. */
function isNominal(before: string | undefined): boolean {
  return /^(?:the|on|to|and|or|of|from|than|bilateral|is|lies|located|situated|seen|left|not|far|both|more|side)$/.test(
    before ?? '',
  );
}

/** Whether a capital stands for a side: "R frontal", "(L)", "R > L". */
function isInitial(words: readonly Word[], i: number, report: string): boolean {
  const { start } = words[i] as Word;
  if (!/^[LR]$/.test(report.charAt(start))) return false;
  const [before, next] = [words[i - 1]?.text ?? '', words[i + 1]?.text ?? ''];
  if (before === '(' && next === ')') return true;
  if (isBrain(next) || /^(?:sided?|hemispheric|sided|mca|aca|pca|mass|lesion|tumou?r|glioma)$/.test(next)) return true;
  if (MORE.has(next) || MORE.has(before)) return true;
  return (
    /^(?:or|and|side)$/.test(next) || /^(?:or|and)$/.test(before) || (before === 'the' && isPlaceWord(words[i - 2]))
  );
}

function isPlaceWord(word: Word | undefined): boolean {
  return /^(?:on|in|to)$/.test(word?.text ?? '');
}

/** Finds the end of a mention of both sides: "Bilateral", "both frontal lobes", "either side". */
function bothEnd(words: readonly Word[], i: number, report: string): number | null {
  const { text } = words[i] as Word;
  const at = (k: number) => words[k]?.text ?? '';
  if (
    /^(?:bilateral(?:ly)?|bilat|b\/l|bihemispher\w*|biparietal|bifrontal|bitemporal|bioccipital|bithalamic)$/.test(text)
  )
    return i + 1;
  if (text === 'bi' && /^hemispher/.test(at(i + 1))) return i + 2;
  if ((text === 'either' || text === 'each') && /^(?:side|hemisphere)$/.test(at(i + 1))) return i + 2;
  if (text === 'the' && at(i + 1) === 'two') {
    const k = at(i + 2) === 'cerebral' ? i + 3 : i + 2;
    return at(k) === 'hemispheres' ? k + 1 : null;
  }
  if (text !== 'both') return null;
  const begin = at(i + 1) === 'of' ? i + 2 : i + 1;
  for (let k = begin; k <= begin + 3 && k < words.length; k++) {
    if (PAIRED.test(at(k)) && isPlural(words, k)) return k + 1;
    if ((words[k] as Word).isMark || /^(?:and|or)$/.test(at(k)) || halfOf(words, k, report) !== null) return null;
  }
  return null;
}

/**
 * Whether "both" takes a plural here: "both temporal poles" goes on, and "both frontal" alone means two lobes of one
 * kind only if no other lobe follows.
 */
function isPlural(words: readonly Word[], k: number): boolean {
  return !/^(?:temporal|frontal|parietal|occipital)$/.test((words[k] as Word).text) || k === words.length - 1;
}

/** Finds the end of the second side of a pair: "Left and right", "right > left", "the right as well as the left". */
function pairEnd(words: readonly Word[], i: number, report: string): number | null {
  const first = halfOf(words, i, report);
  if (first === null) return null;
  const at = (k: number) => words[k]?.text ?? '';
  let k = i + 1;
  if (at(k) === 'and' || at(k) === '&' || at(k) === '/') k += 1;
  else if (at(k) === 'as' && at(k + 1) === 'well' && at(k + 2) === 'as') k += 3;
  else if (MORE.has(at(k))) k += at(k + 1) === 'than' ? 2 : 1;
  else return null;
  if (at(k) === 'the') k += 1;
  const second = halfOf(words, k, report);
  return second === null || second === first ? null : k + 1;
}

function crossingEnd(words: readonly Word[], i: number): number | null {
  const at = (k: number) => words[k]?.text ?? '';
  let k = i + 1;
  for (const filler of ['of', 'over', 'the', 'brain', 'anatomical', 'cerebral']) if (at(k) === filler) k++;
  if (at(k) === 'midline') return k + 1;
  if (/^(?:splenium|genu|body)$/.test(at(k)) && at(k + 1) === 'of') k += at(k + 2) === 'the' ? 3 : 2;
  return at(k) === 'corpus' && at(k + 1) === 'callosum' ? k + 2 : null;
}
