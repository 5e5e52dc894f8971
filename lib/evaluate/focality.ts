/** Decides whether a report tells of several lesions, by the lesions it counts and the places it names. */
import { aboutSides, type SideAbout } from '../reading/about-side';
import { isSaid, type ReadClause, readContext } from '../reading/context';
import { placesIn } from '../reading/entities';
import { isFiniteVerb, PREPOSITIONS } from '../reading/vocabulary';
import type { Word } from '../reading/words';

const COUNTS =
  /^(?:multiple|several|numerous|many|various|two|three|four|five|six|seven|eight|nine|ten|countless|both|dozens|[2-9]|[1-9]\d)$/;
const FURTHER = /^(?:second|third|another|additional|further|other|separate)$/;
const LESIONS = /^(?:lesions|masses|tumou?rs|gliomas|metastases|neoplasms|plaques|nodules|infarcts)$/;
const LESION = /^(?:lesion|mass|tumou?r|glioma|metastasis|neoplasm|plaque|nodule|infarct|focus)$/;
/** Nouns that mean lesions after the word "lesion": "lesion areas" are lesions, "low-signal areas" are not. */
const AREAS = /^(?:areas|regions|sites|foci)$/;
const SEVERAL = /^(?:multi-?focal\w*|multi-?centric\w*|satellites?)$/;
/** Words that introduce a part of a lesion. Such parts do not count as lesions. */
const INSIDE = /^(?:within|inside)$/;
const PARTS = /^(?:necro|h(?:a|e)?emorrh|cyst|calcif|enhanc|low$|hypo|signal)/;
const MOST_MODIFIERS = 4;

/** Whether a report says, and does not deny, that there is more than one lesion. */
export function namesSeveralLesions(report: string): boolean {
  const clauses = readContext(report);
  return clauses.some(countsSeveral) || isOnTwoSides(clauses, report);
}

function countsSeveral(clause: ReadClause): boolean {
  return clause.words.some(({ text, isJoined }, i) => {
    if (!isSaid(clause, i)) return false;
    if (SEVERAL.test(text)) return true;
    if (/^(?:focal|centric)\w*$/.test(text) && isJoined && clause.words[i - 1]?.text === 'multi') return true;
    if (COUNTS.test(text)) return endsInLesions(clause.words, i + 1);
    return FURTHER.test(text) && endsIn(clause.words, i + 1, LESION) !== -1;
  });
}

/**
 * Whether the words name lesions: "Multiple enhancing lesions", "two foci in the left lobe"; not "several areas within
 * the tumour".
 */
function endsInLesions(words: readonly Word[], begin: number): boolean {
  if (endsIn(words, begin, LESIONS) !== -1) return true;
  const area = endsIn(words, begin, AREAS);
  if (area === -1) return false;
  if (LESION.test(words[area - 1]?.text ?? '')) return true;
  return (words[area] as Word).text === 'foci' && !isPart(words, begin, area);
}

/** Whether foci are parts of a lesion: foci of necrosis, or foci within something. */
function isPart(words: readonly Word[], begin: number, foci: number): boolean {
  const near = words.slice(Math.max(0, begin - MOST_MODIFIERS), foci + MOST_MODIFIERS);
  return near.some(({ text }) => PARTS.test(text) || INSIDE.test(text));
}

/** Finds the end of the noun phrase that begins at `begin`; -1 if it does not end in such a noun. */
function endsIn(words: readonly Word[], begin: number, noun: RegExp): number {
  for (let i = begin; i < Math.min(words.length, begin + MOST_MODIFIERS); i++) {
    const { text, isMark } = words[i] as Word;
    if (noun.test(text)) return i;
    if (isMark || isFiniteVerb(text) || PREPOSITIONS.has(text)) return -1;
  }
  return -1;
}

interface Lobes {
  isNamed: boolean;
  places: Set<string>;
  /** Whether the lesion is named together with its side: "a left frontal mass". */
  hasOwn: boolean;
}

/**
 * Whether lesions lie on both sides: "In the left temporal and the right parietal lobe". One lesion that reaches over
 * does not count.
 */
function isOnTwoSides(clauses: readonly ReadClause[], report: string): boolean {
  const lobes: Record<'left' | 'right', Lobes> = {
    left: { isNamed: false, places: new Set(), hasOwn: false },
    right: { isNamed: false, places: new Set(), hasOwn: false },
  };
  const sides = aboutSides(clauses, report);
  let isPlural = false;
  let seen: ReadClause | null = null;
  for (const [k, { clause, side }] of sides.entries()) {
    if (side.about !== 'lesion') continue;
    if (side.kind === 'crossing' || side.kind === 'other-half' || reachesOver(clause, side.from)) return false;
    if (side.kind !== 'left' && side.kind !== 'right') continue;
    const next = sides[k + 1];
    const end = next?.clause === clause ? next.side.from : clause.words.length;
    note(lobes[side.kind], clause, side, end);
    isPlural ||= clause !== seen && namesLesions(clause);
    seen = clause;
  }
  const { left, right } = lobes;
  if (!left.isNamed || !right.isNamed) return false;
  const isApart =
    left.places.size > 0 && right.places.size > 0 && [...left.places].every((place) => !right.places.has(place));
  return isPlural || isApart || (left.hasOwn && right.hasOwn);
}

function namesLesions(clause: ReadClause): boolean {
  return clause.words.some(({ text }, i) => LESIONS.test(text) && isSaid(clause, i));
}

function note(lobes: Lobes, { words }: ReadClause, { to }: SideAbout, end: number): void {
  lobes.isNamed = true;
  for (const place of placesIn(words.slice(to, end)).flat()) lobes.places.add(place);
  lobes.hasOwn ||= endsIn(words, to, LESION) !== -1;
}

const REACHES = /^(?:exten|spread|cross|reach|grow|continu|infiltrat)/;

/** Whether the words say that a lesion reaches over: "Extends into the right lobe". */
function reachesOver({ words }: ReadClause, from: number): boolean {
  for (let i = from - 1; i >= 0 && i >= from - MOST_MODIFIERS; i--)
    if (REACHES.test((words[i] as Word).text)) return true;
  return false;
}
