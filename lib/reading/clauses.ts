/** Divides a sentence into clauses, since a statement about a word is seldom outside the word's clause. */
import { BREAKS, DETERMINERS, FRONTED, isEdema, isFiniteVerb, isLesion, isSideOrPlace, LISTS } from './vocabulary';
import type { Word } from './words';

export interface Clause {
  words: Word[];
  /**
   * Whether the clause begins with words such as "Apart from" or "except". The things that it names are present,
   * whatever the clause before denies.
   */
  isException: boolean;
}

/** Words that begin a clause wherever they stand. */
const BEGINNERS = new Set(
  'but however whereas while although though nevertheless nonetheless because despite until except excepting besides where when once hence thus therefore notwithstanding'.split(
    ' ',
  ),
);
/** Words that may begin an exception. */
const EXCEPTIONS = new Set(['except', 'excepting', 'besides', 'apart', 'aside', 'other', 'save', 'exception']);
const RELATIVES = new Set(['which', 'who', 'whose', 'whom', 'where', 'whereby']);
const SUBJECTS = new Set('there it they no neither none'.split(' '));

/** Divides at conjunctions, and at commas and "and" where the next part makes a statement of its own. */
export function clausesOf(words: readonly Word[]): Clause[] {
  const ahead = lookAhead(words);
  const clauses: Clause[] = [];
  let state = newState(0, false);
  const cut = (at: number, isException = false) => {
    if (at > state.start) clauses.push({ words: words.slice(state.start, at), isException: state.isException });
    state = newState(at, isException);
  };
  for (let i = 0; i < words.length; i++) {
    const word = words[i] as Word;
    if (beginsException(words, i)) cut(i, true);
    else if (isBeginner(words, i)) cut(i);
    else if (BREAKS.has(word.text) && i > state.start && beginsClause(words, i, ahead, state)) cut(i);
    else if (word.text === 'and' && i > state.start && joinsClause(words, i, ahead, state)) cut(i);
    note(state, words, i);
  }
  cut(words.length);
  return clauses;
}

interface State {
  start: number;
  isException: boolean;
  isFronted: boolean;
  hasVerb: boolean;
  hasThing: boolean;
  hasPlace: boolean;
}

function newState(start: number, isException: boolean): State {
  return { start, isException, isFronted: false, hasVerb: false, hasThing: false, hasPlace: false };
}

/** Adds a word to the facts about the clause so far. */
function note(state: State, words: readonly Word[], i: number): void {
  const { text } = words[i] as Word;
  if (i === state.start) state.isFronted = FRONTED.has(text);
  state.hasVerb ||= isFiniteVerb(text);
  state.hasThing ||= isLesion(text, words[i + 1]?.text) || isEdema(text);
  state.hasPlace ||= isSideOrPlace(text);
}

function beginsException(words: readonly Word[], i: number): boolean {
  const text = (words[i] as Word).text;
  const next = words[i + 1]?.text;
  if (text === 'except' || text === 'excepting' || text === 'besides') return true;
  if (text === 'apart' || text === 'aside') return next === 'from';
  if (text === 'other') return next === 'than';
  if (text === 'save') return next === 'for' || next === 'a' || next === 'an' || next === 'the';
  return EXCEPTIONS.has(text) && next === 'of';
}

function isBeginner(words: readonly Word[], i: number): boolean {
  const text = (words[i] as Word).text;
  if (text === 'yet' || text === 'still')
    return words[i - 1]?.text === ',' && !isFiniteVerb(words[i + 1]?.text ?? '') && text === 'yet';
  if (text === 'where' || text === 'when' || text === 'once') return isBreak(words[i - 1]);
  return BEGINNERS.has(text);
}

function isBreak(word: Word | undefined): boolean {
  return word !== undefined && BREAKS.has(word.text);
}

/** The next finite verb, list word and break from each position on, within the part that begins there. */
interface Ahead {
  verb: Int32Array;
  list: Int32Array;
  end: Int32Array;
}

function lookAhead(words: readonly Word[]): Ahead {
  const [verb, list, end] = [0, 1, 2].map(() => new Int32Array(words.length + 1).fill(words.length)) as [
    Int32Array,
    Int32Array,
    Int32Array,
  ];
  for (let i = words.length - 1; i >= 0; i--) {
    const { text } = words[i] as Word;
    verb[i] = isFiniteVerb(text) ? i : (verb[i + 1] as number);
    list[i] = LISTS.has(text) ? i : (list[i + 1] as number);
    end[i] = BREAKS.has(text) || isBeginner(words, i) ? i : (end[i + 1] as number);
  }
  return { verb, list, end };
}

/** Whether the part behind a comma has a subject and a verb, and is not the end of a list whose verb it has. */
function beginsClause(words: readonly Word[], i: number, ahead: Ahead, state: State): boolean {
  const first = words[i + 1]?.text ?? '';
  if (state.isException) return true;
  if (RELATIVES.has(first) || (FRONTED.has(first) && RELATIVES.has(words[i + 2]?.text ?? ''))) return true;
  const begin = LISTS.has(first) ? i + 2 : i + 1;
  const [verb, end] = [ahead.verb[begin] as number, ahead.end[begin] as number];
  if (verb >= end || verb === begin) return false;
  if (state.hasVerb) return true;
  if (state.isFronted) return false;
  // In "Edema, necrosis and enhancement are" the list goes on to the verb. A part that names a place makes a statement
  // without a verb.
  const isListEnd = (ahead.list[i + 1] as number) < verb;
  return !isListEnd || (state.hasThing && state.hasPlace);
}

/** Whether "and" joins a clause: a subject and a verb follow it, and the clause before has its own. */
function joinsClause(words: readonly Word[], i: number, ahead: Ahead, state: State): boolean {
  const [verb, end] = [ahead.verb[i + 1] as number, Math.min(ahead.end[i + 1] as number, ahead.list[i + 1] as number)];
  const first = words[i + 1]?.text ?? '';
  if (SUBJECTS.has(first) && state.hasVerb) return true;
  if (verb >= end || verb === i + 1) return false;
  return state.hasVerb || (DETERMINERS.has(first) && state.hasThing && state.hasPlace);
}
