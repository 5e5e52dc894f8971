/**
 * Determines what a report says of each of its words, by the scopes of its triggers, after NegEx and ConText. A trigger
 * marks the words before or behind it up to the end of its clause, or up to a terminator that is nearer. The rules are
 * in docs/metrics.md.
 */
import { type ClauseFacts, factsOf, type Range } from './clause-facts';
import { clausesOf } from './clauses';
import { thingsNamed } from './things-named';
import { isTitle, type Mark, type Reach, TRIGGERS, type Trigger } from './triggers';
import {
  AUXILIARIES,
  BE,
  BREAKS,
  DEGREES,
  DETERMINERS,
  isFiniteVerb,
  LISTS,
  PARTICIPLES,
  PREPOSITIONS,
  STATIC,
} from './vocabulary';
import { sentencesOf, type Word } from './words';

/** A clause of a report with the marks of its words. */
export interface ReadClause {
  words: readonly Word[];
  /** The index of its sentence, from 0. */
  sentence: number;
  /** For each word, the bits of its marks. */
  marks: Uint8Array;
}

const BITS: Record<Mark, number> = { absent: 1, normal: 2, compared: 4, past: 8, asked: 16 };
/** A word with one of these marks is not asserted, whether it is a finding or a place. */
const NOT_SAID = BITS.absent | BITS.past | BITS.asked;

export const isSaid = ({ marks }: ReadClause, i: number): boolean => ((marks[i] as number) & NOT_SAID) === 0;
/**
 * Whether a place or a side is asserted: it belongs to nothing absent, and is neither normal nor only compared with.
 */
export const isPlaceSaid = ({ marks }: ReadClause, i: number): boolean => marks[i] === 0;
export const isCompared = ({ marks }: ReadClause, i: number): boolean => ((marks[i] as number) & BITS.compared) !== 0;

/** Reads all clauses in order, in time proportional to the report's length. */
export function readContext(report: string): ReadClause[] {
  return sentencesOf(report).flatMap((words, sentence) => {
    let carried = isQuestion(words) ? BITS.asked : 0;
    return clausesOf(words).map((clause) => {
      const read = { words: clause.words, sentence, marks: new Uint8Array(clause.words.length).fill(carried) };
      carried |= markClause(read);
      return read;
    });
  });
}

/** Whether the sentence is a question: "Clinical question: ...", "Should a lesion appear, ...". */
function isQuestion(words: readonly Word[]): boolean {
  if ((words[0] as Word).text === 'should') return true;
  const colon = words.slice(0, 7).findIndex(({ text }) => text === ':');
  return colon > 0 && isTitle(words.slice(0, colon).map(({ text }) => text));
}

interface Found {
  start: number;
  end: number;
  trigger: Trigger;
  /** The reach of the words behind, if it is not the trigger's own. */
  reach?: Reach;
}

/** @returns marks that go on to the end of the sentence */
function markClause(clause: ReadClause): number {
  const found = triggersOf(clause.words);
  const facts = factsOf(clause.words);
  const cancelled = doubleNegations(found);
  continueReaches(found, clause.words);
  let carried = 0;
  // A scope ends where the next trigger of its mark begins, so that all scopes of a clause together are linear.
  const last: Partial<Record<Mark, number>> = {};
  let sentenceEnd = clause.words.length;
  for (const item of found.toReversed()) {
    if (item.trigger.after === undefined || cancelled.has(item)) continue;
    const [mark, ownReach] = item.trigger.after;
    const reach = item.reach ?? ownReach;
    const limit = reach === 'sentence' ? sentenceEnd : (last[mark] ?? clause.words.length);
    const to = forwardEnd(facts, item, { mark, reach, limit });
    if (reach === 'sentence') sentenceEnd = item.start;
    last[mark] = item.start;
    // In "Compared with the left lesion" and "symmetric lesions" the things are present.
    if ((mark === 'compared' || mark === 'normal') && namesThing(facts, { from: item.end, to })) continue;
    setMarks(clause, mark, { from: item.end, to });
    if (reach === 'sentence') carried |= BITS[mark];
  }
  const [first] = found.filter((item) => isOnFronted(facts, item));
  if (first !== undefined) setMarks(clause, 'normal', { from: 0, to: first.start });
  const done: Partial<Record<Mark, number>> = {};
  for (const item of found) {
    if (item.trigger.before === undefined || cancelled.has(item)) continue;
    const [mark, reach] = item.trigger.before;
    const range = { from: backwardStart(facts, item, reach, done[mark] ?? 0), to: item.start };
    done[mark] = item.end;
    // In "The lesion in the left lobe is unchanged" the place of a lesion is not normal; in "with the right lobe normal"
    // it is.
    if (mark === 'normal' && hasSaidThing(clause, facts, range)) {
      range.from = Math.max(range.from, (facts.previousWith[item.start] as number) + 1);
      if (hasSaidThing(clause, facts, range)) continue;
    }
    setMarks(clause, mark, range);
  }
  return carried;
}

function triggersOf(words: readonly Word[]): Found[] {
  const found: Found[] = [];
  for (let i = 0; i < words.length; ) {
    const match = TRIGGERS.matchAt(words, i);
    if (match === null) i++;
    else {
      found.push({ start: i, end: match.end, trigger: match.value });
      i = match.end;
    }
  }
  return found;
}

/**
 * Gives the second denial the reach of the first: "With neither edema nor necrosis", "without edema and no necrosis".
 */
function continueReaches(found: readonly Found[], words: readonly Word[]): void {
  let reach: Reach | undefined;
  for (const item of found) {
    const { after, isContinued } = item.trigger;
    const isJoined = after?.[0] === 'absent' && LISTS.has(words[item.start - 1]?.text ?? '');
    if (isContinued || isJoined) item.reach = reach;
    else if (after?.[0] === 'absent') reach = after[1];
  }
}

/** Finds denied denials, such as "The absence of edema cannot be confirmed". Both are void. */
function doubleNegations(found: readonly Found[]): Set<Found> {
  const cancelled = new Set<Found>();
  let noun: Found | null = null;
  for (const item of found) {
    if (item.trigger.isNoun) noun = item;
    else if (noun !== null && (item.trigger.before?.[0] === 'absent' || item.trigger.isDoubt)) {
      cancelled.add(noun).add(item);
      noun = null;
    }
  }
  return cancelled;
}

function forwardEnd(
  about: ClauseFacts,
  { start, end }: Found,
  { mark, reach, limit }: { mark: Mark; reach: Reach; limit: number },
): number {
  const { words } = about;
  if (reach === 'sentence') return Math.max(limit, end);
  if (reach === 'noun') return nounEnd(about, end, limit);
  const isInNoun = isParticipleAt(words, start, end);
  let allowed = reach === 'clause' && !isInNoun ? verbsWithin(about, start, end) : 0;
  const isVerbal = VERBAL.has((words[start] as Word).text) || VERBAL.has((words[end - 1] as Word).text);
  const own = isVerbal && !isInNoun ? end + 1 : -1;
  const isHung = reach === 'phrase' && (about.things[start] as number) > 0 && about.places[start] === 0;
  for (let i = end; i < limit; i++) {
    const { text } = words[i] as Word;
    const next = words[i + 1]?.text ?? '';
    if (
      isFiniteVerb(text) &&
      i > own &&
      words[i - 1]?.text !== 'to' &&
      !(i > end && isFiniteVerb((words[i - 1] as Word).text)) &&
      allowed-- <= 0
    )
      return i;
    if ((text === 'that' || text === 'which') && i > end) allowed++;
    if (BREAKS.has(text) && endsAtBreak(about, i, reach)) return i;
    if (text === 'and' && (isFiniteVerb(next) || next === 'a' || next === 'an' || isDegreeAhead(about, i + 1)))
      return i;
    if (isTerminator(words, i, mark)) return i;
    if (reach === 'phrase' && i > end && PARTICIPLES.has(text)) return i;
    // In "A mass without edema in the left lobe" the place is the mass's.
    if (isHung && (i > end || mark === 'past') && STATIC.has(text) && text !== 'of') return i;
  }
  return Math.max(limit, end);
}

/** Negations whose own verb follows them. */
const VERBAL = new Set(['not', 'never', 'nor', 'neither']);

/**
 * Whether "not" belongs to a participle: "Edema not crossing the midline is seen", "a mass not associated with edema".
 */
function isParticipleAt(words: readonly Word[], start: number, end: number): boolean {
  if ((words[start] as Word).text !== 'not') return false;
  const before = words[start - 1]?.text ?? '';
  if (before === 'and' || before === ',') return true;
  if (!/(?:ing|ed)$/.test(words[end]?.text ?? '')) return false;
  return !BE.has(before) && !isFiniteVerb(before);
}

/** The number of finite verbs that belong to what is denied: its own verb, if that follows. */
function verbsWithin({ words, verbs }: ClauseFacts, start: number, end: number): number {
  if (AUXILIARIES.has(words[start - 1]?.text ?? '')) return 1;
  return (verbs[end] as number) > 0 ? 0 : 1;
}

const WITH_BEFORE = new Set(['associated', 'consistent', 'compatible', 'along', 'together', 'or', 'in', 'conform']);
const TERMINATORS = new Set('due secondary now currently accompanied remaining'.split(' '));

function isTerminator(words: readonly Word[], i: number, mark: Mark): boolean {
  const { text } = words[i] as Word;
  if (text === 'with' || text === 'w/') return i > 0 && !WITH_BEFORE.has((words[i - 1] as Word).text);
  if (mark === 'past' && (text === 'new' || text === 'no')) return true;
  return TERMINATORS.has(text);
}

/**
 * Whether the scope ends at the mark: in "no edema, a small lesion" the words behind the comma are asserted, unless a
 * list goes on.
 */
function endsAtBreak(about: ClauseFacts, i: number, reach: Reach): boolean {
  const { words, nextVerb, nextBreak, nextList } = about;
  const next = words[i + 1]?.text ?? '';
  if ((words[i] as Word).text === ')') return true;
  if (PARTICIPLES.has(next) || STATIC.has(next) || next === 'only' || next === 'just' || next === 'merely') return true;
  if (DETERMINERS.has(next) || isDegreeAhead(about, i + 1)) return (about.nextOr[i] as number) === words.length;
  if (reach !== 'phrase') return false;
  const verb = nextVerb[i + 1] as number;
  return verb < (nextBreak[i + 1] as number) && (nextList[i + 1] as number) > verb;
}

function isDegreeAhead({ words, nextOr }: ClauseFacts, i: number): boolean {
  return DEGREES.has(words[i]?.text ?? '') && nextOr[i] === words.length;
}

const HEADS = /^(?:lobes?|hemispheres?|tissues?|brain|matter|parenchyma|sides?|structures?)$/;

/** Finds the end of a noun phrase, which goes on behind "and" where a modifier is shared. */
function nounEnd({ words }: ClauseFacts, begin: number, limit: number): number {
  let hasHead = false;
  for (let i = begin; i < limit; i++) {
    const { text, isMark } = words[i] as Word;
    if (isFiniteVerb(text) || PARTICIPLES.has(text) || /^\d/.test(text) || (isMark && text !== '&' && text !== '/'))
      return i;
    if (LISTS.has(text) && hasHead) return i;
    if (PREPOSITIONS.has(text) && !STATIC.has(text) && text !== 'from') return i;
    hasHead ||= HEADS.test(text);
  }
  return Math.max(limit, begin);
}

function namesThing({ things }: ClauseFacts, { from, to }: Range): boolean {
  return (things[to] as number) > (things[from] as number);
}

function hasSaidThing(clause: ReadClause, about: ClauseFacts, range: Range): boolean {
  if (!namesThing(about, range)) return false;
  for (let i = range.from; i < range.to; i++)
    if ((about.things[i + 1] as number) > (about.things[i] as number) && isSaid(clause, i)) return true;
  return false;
}

/** Words that may stand before the place that opens a clause. */
const OPENERS = new Set('and but while whereas although though however so'.split(' '));

/** Whether a place before the denial belongs to it: in "In the left lobe there is no mass" nothing is there. */
function isOnFronted({ words, things }: ClauseFacts, { start, end, trigger }: Found): boolean {
  if (trigger.after?.[0] !== 'absent' || trigger.after[1] !== 'clause' || start === 0) return false;
  const first = words.find(({ text, isMark }) => !isMark && !OPENERS.has(text))?.text ?? '';
  if (!STATIC.has(first) && first !== 'throughout') return false;
  if (things[start] !== 0) return false;
  const isNo = (text: string | undefined) => text === 'no' || text === 'nothing' || text === 'neither';
  return isNo(words[start]?.text) || isNo(words[end - 1]?.text);
}

function backwardStart(about: ClauseFacts, { start }: Found, reach: Reach, limit: number): number {
  const { words, things, places, verbs } = about;
  const part = Math.max(limit, (about.previousBreak[start] as number) + 1);
  // In "Left parietal lesion, edema not present" the first part makes a statement of its own without a verb.
  const isApart =
    verbs[start] === 0 && !BE.has((words[start] as Word).text) && things[part] !== 0 && places[part] !== 0;
  if (reach === 'part' || isApart) return part;
  for (let i = start - 1; i >= limit; i--) if ((words[i] as Word).text === 'whose') return i + 1;
  return limit;
}

function setMarks({ words, marks }: ReadClause, mark: Mark, { from, to }: Range): void {
  const kept = mark === 'absent' ? thingsNamed(words, { from, to }) : [];
  let begin = from;
  for (const range of [...kept, { from: to, to }]) {
    for (let i = begin; i < range.from; i++) marks[i] = (marks[i] as number) | BITS[mark];
    begin = range.to;
  }
}
