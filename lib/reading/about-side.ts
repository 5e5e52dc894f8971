/**
 * Decides what each mention of a side is about: the lesion, a ventricle, a shift, or something normal or compared with.
 */
import { isCompared, isPlaceSaid, type ReadClause } from './context';
import { type SideWords, sidesIn } from './sides';
import {
  DETERMINERS,
  isBrain,
  isEdema,
  isElsewhere,
  isFiniteVerb,
  isLesion,
  isMidline,
  isShift,
  isSpread,
  isThing,
  isVentricle,
  LISTS,
  PREPOSITIONS,
} from './vocabulary';
import type { Word } from './words';

/**
 * The subject of a mention of a side. `lesion` and `edema` count. The others are only noted: a `ventricle`, whatever
 * happens to it; a shift of the `midline`; the side that something is compared with (`contralateral`); things said to
 * be absent, normal or past, or only asked for (`negated`); and words that name no side of the brain (`other`).
 */
export type About = 'lesion' | 'edema' | 'ventricle' | 'midline' | 'contralateral' | 'negated' | 'other';

export interface SideAbout extends SideWords {
  about: About;
}

/** Returns the sides of all clauses in order. A side without a noun is that of the last thing named in the sentence. */
export function aboutSides(clauses: readonly ReadClause[], report: string): { clause: ReadClause; side: SideAbout }[] {
  let topic: Topic = { sentence: -1, isVentricle: false };
  return clauses.flatMap((clause) => {
    if (clause.sentence !== topic.sentence) topic = { sentence: clause.sentence, isVentricle: false };
    const facts = factsOf(clause);
    const sides = sidesIn(clause.words, report).map((side) => {
      return { clause, side: { ...side, about: aboutSide(facts, side, topic) } };
    });
    if (facts.hasVentricle || facts.hasThing) topic = { ...topic, isVentricle: !facts.hasThing };
    return sides;
  });
}

interface Topic {
  sentence: number;
  isVentricle: boolean;
}

/** The kinds of things a clause names and, before each word, the last index of a word of some kinds; -1 for none. */
interface Facts {
  clause: ReadClause;
  words: readonly Word[];
  hasVentricle: boolean;
  hasMidline: boolean;
  hasShift: boolean;
  hasLesion: boolean;
  hasThing: boolean;
  lastLesion: Int32Array;
  lastThing: Int32Array;
  lastEdema: Int32Array;
  lastShift: Int32Array;
  lastSpread: Int32Array;
  lastVerb: Int32Array;
  lastVentricle: Int32Array;
  lastMidline: Int32Array;
}

function factsOf(clause: ReadClause): Facts {
  const { words } = clause;
  const last = (is: (text: string, next: string | undefined) => boolean) => {
    const places = new Int32Array(words.length + 1).fill(-1);
    for (let i = 0; i < words.length; i++)
      places[i + 1] = is((words[i] as Word).text, words[i + 1]?.text) ? i : (places[i] as number);
    return places;
  };
  const has = (places: Int32Array) => places[words.length] !== -1;
  const [lastLesion, lastThing, lastEdema] = [last(isLesion), last(isThing), last(isEdema)];
  const [lastShift, lastVentricle, lastMidline] = [last(isShift), last(isVentricle), last(isMidline)];
  return {
    clause,
    words,
    hasVentricle: has(lastVentricle),
    hasMidline: has(lastMidline),
    hasShift: has(lastShift),
    hasLesion: has(lastLesion),
    hasThing: has(lastThing) || has(lastEdema),
    lastLesion,
    lastThing,
    lastEdema,
    lastShift,
    lastSpread: last(isSpread),
    lastVerb: last(isFiniteVerb),
    lastVentricle,
    lastMidline,
  };
}

function aboutSide(facts: Facts, side: SideWords, topic: Topic): About {
  const { words, clause } = facts;
  const { from, to, kind } = side;
  if (isCompared(clause, from) && !isExtent(facts, from)) return 'contralateral';
  const noun = nounOf(words, to);
  if (noun.some(isElsewhere) && !noun.some(isTissue)) return 'other';
  if (!isPlaceSaid(clause, from) && !isCompared(clause, from)) return 'negated';
  if (kind === 'crossing')
    return facts.hasShift && !isTissue((words[from - 1] as Word | undefined)?.text ?? '') && isShifted(facts, from)
      ? 'midline'
      : tissue(facts, from, []);
  const mentioned = words.slice(from, to).map(({ text }) => text);
  if (noun.some(isVentricle) || mentioned.some(isVentricle))
    return isBesideVentricle(facts, side, noun) ? tissue(facts, from, noun) : 'ventricle';
  if (kind === 'other-half' && facts.hasShift && isShifted(facts, from)) return 'midline';
  if (kind === 'other-half') return isReached(facts, from) ? tissue(facts, from, noun) : 'contralateral';
  if (isDirection(facts, side, noun)) return facts.hasVentricle && !facts.hasMidline ? 'ventricle' : 'midline';
  const hasLesionBefore = facts.lastLesion[from] !== -1 || facts.lastEdema[from] !== -1;
  const isBare = !noun.some(isBrain) && !noun.some(isTissue);
  const isOfVentricle = (facts.lastVentricle[from] as number) > (facts.lastMidline[from] as number);
  if (isBare && facts.hasMidline && facts.hasShift && !facts.hasLesion) return isOfVentricle ? 'ventricle' : 'midline';
  if (
    isBare &&
    hasLesionBefore &&
    isOfVentricle &&
    isNearest(facts, from) &&
    !isBeside(facts, facts.lastVentricle[from] as number)
  )
    return 'ventricle';
  if (isBare && !hasLesionBefore && (facts.hasVentricle || (topic.isVentricle && !facts.hasThing))) return 'ventricle';
  return tissue(facts, from, noun);
}

/** Whether the ventricle was named last: "Both ventricles are compressed by the lesion, the left one more". */
function isNearest({ lastVentricle, lastLesion, lastEdema }: Facts, from: number): boolean {
  return (lastVentricle[from] as number) > Math.max(lastLesion[from] as number, lastEdema[from] as number);
}

const isTissue = (text: string): boolean => isLesion(text, undefined) || isEdema(text);

/** Decides whose side it is: that of the noun behind it, else of the nearest noun before it, else of the lesion. */
function tissue({ lastEdema, lastLesion }: Facts, from: number, noun: readonly string[]): About {
  if (noun.some((text) => isLesion(text, undefined))) return 'lesion';
  if (noun.some(isEdema)) return 'edema';
  return (lastEdema[from] as number) > (lastLesion[from] as number) ? 'edema' : 'lesion';
}

const HALVES = /^(?:side|half|part|aspect|portion)$/;
const LONGEST_NOUN = 8;

/** Returns the words that belong to a side: "lateral ventricle" of "right lateral ventricle is compressed". */
function nounOf(words: readonly Word[], to: number): string[] {
  let i = to;
  // An example is "The right side of the ventricle".
  if (HALVES.test(words[i]?.text ?? '') && words[i + 1]?.text === 'of')
    i += DETERMINERS.has(words[i + 2]?.text ?? '') ? 3 : 2;
  const noun: string[] = [];
  for (; i < words.length && noun.length < LONGEST_NOUN; i++) {
    const { text, isMark, isJoined } = words[i] as Word;
    if (isMark || isFiniteVerb(text) || PREPOSITIONS.has(text) || LISTS.has(text)) break;
    if (/^(?:which|that|is|being)$/.test(text)) break;
    if (
      !isJoined &&
      /(?:ed|ing)$/.test(text) &&
      !/^(?:enhancing|infiltrating|sided|handed|restricted|thickened|swollen)$/.test(text)
    )
      break;
    if (/^compress|^displac|^deform|^distort/.test(text)) break;
    noun.push(text);
  }
  return noun;
}

/**
 * Whether the side compares extents: "More on the left than on the right". Then both sides have the edema or the
 * lesion.
 */
function isExtent({ words, lastThing, lastEdema }: Facts, from: number): boolean {
  if (lastThing[from] === -1 && lastEdema[from] === -1) return false;
  for (let i = from - 1, steps = 0; i > 1 && steps < LONGEST_EXTENT; i--, steps++) {
    if ((words[i] as Word).text !== 'than') continue;
    for (let k = i - 1; k >= 0 && k >= i - LONGEST_EXTENT; k--)
      if (/^(?:more|less|greater|worse)$/.test((words[k] as Word).text)) return true;
    return false;
  }
  return false;
}

const LONGEST_EXTENT = 6;

const BESIDE = new Set(
  'around about beside near adjacent along alongside abutting next within inside in at into close lining bordering surrounding reaches reaching touches touching by to'.split(
    ' ',
  ),
);
const VENTRICLE_PARTS =
  /^(?:the|a|of|both|left|right|lateral|anterior|posterior|inferior|superior|frontal|occipital|temporal|third|fourth|horns?|body|bodies|atrium|atria|trigone|wall|margin|angle|roof|floor|edge|region|ependyma|level|side|part|to|from|and|,)$/;

/**
 * Whether a lesion lies in or beside the ventricle whose side it is. An effect on a ventricle says nothing about the
 * lesion's side.
 */
function isBesideVentricle(
  { words, lastThing, lastLesion, lastEdema, hasMidline, hasShift }: Facts,
  { from }: SideWords,
  noun: readonly string[],
): boolean {
  const ventricle = noun.findIndex(isVentricle);
  if (ventricle !== -1 && noun.slice(ventricle + 1).some((text) => isThing(text, undefined))) return true;
  if ((lastThing[from] === -1 && lastLesion[from] === -1 && lastEdema[from] === -1) || (hasMidline && hasShift))
    return false;
  return isBeside({ words }, from);
}

/** Whether a lesion is said to lie in or beside the noun phrase that ends before `at`. */
function isBeside({ words }: Pick<Facts, 'words'>, at: number): boolean {
  for (let i = at - 1, steps = 0; i >= 0 && steps < LONGEST_CHAIN; i--, steps++) {
    const { text } = words[i] as Word;
    if (BESIDE.has(text)) return !isEffect(words, i);
    if (!VENTRICLE_PARTS.test(text)) return false;
  }
  return false;
}

const LONGEST_CHAIN = 12;

/**
 * Whether the words name an effect on the ventricle: "Changes in the left ventricle", "compression seen in the left
 * ventricle". Then no lesion lies there.
 */
function isEffect(words: readonly Word[], at: number): boolean {
  for (let i = at - 1, steps = 0; i >= 0 && steps < LONGEST_CHAIN; i--, steps++) {
    const { text } = words[i] as Word;
    if (
      /^(?:compress|deform|displac|effac|dilat|enlarg|narrow|squeez|push|press|effects?$|asymmetr|alter|flatten|distort|collaps|widen|expan|chang|shape|size|volume|trap|entrap|shift|prominen|ruptur)/.test(
        text,
      )
    )
      return true;
    if (isThing(text, words[i + 1]?.text) || isEdema(text)) return false;
  }
  return false;
}

const INTO = new Set(
  'in into to of within on onto through reaches reaching involves involving affects affecting invades occupies toward towards and'.split(
    ' ',
  ),
);

/** Whether something reaches the other side: "Extends into the contralateral hemisphere". */
function isReached({ words, hasThing }: Facts, from: number): boolean {
  const before = words[from - 1]?.text === 'the' ? words[from - 2] : words[from - 1];
  return hasThing && INTO.has(before?.text ?? '') ? true : isSpread(before?.text ?? '');
}

/**
 * Whether the side is the direction of a shift: "To the left", "leftward". It is none in "to the left lobe", or where a
 * lesion spreads.
 */
function isDirection(facts: Facts, { from, to }: SideWords, noun: readonly string[]): boolean {
  const { words, lastVerb } = facts;
  const text = (words[from] as Word).text;
  if (words[from]?.isJoined && words[from - 1]?.text === 'to') return true;
  if (words[to]?.isJoined && words[to]?.text === 'to') return true;
  if (/wards?$/.test(text))
    return !(
      (facts.lastSpread[from] as number) >= 0 && (facts.lastSpread[from] as number) > (facts.lastShift[from] as number)
    );
  if (isShift(noun[0] ?? '')) return true;
  if (noun.some(isBrain) || noun.some(isTissue)) return false;
  const before = words[from - 1]?.text === 'the' ? from - 2 : from - 1;
  const isTo = /^(?:to|towards?|into)$/.test(words[before]?.text ?? '');
  if (isTo && words[to]?.text === 'of') return false;
  if (!isTo && !isShift(words[from - 1]?.text ?? '')) return false;
  return isShifted(facts, from) || (lastVerb[from] === -1 && facts.hasShift && facts.lastSpread[from] === -1);
}

/** Whether a shift was named later than a spread. */
function isShifted({ lastShift, lastSpread }: Facts, from: number): boolean {
  return (lastShift[from] as number) > (lastSpread[from] as number);
}
