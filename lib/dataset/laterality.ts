/**
 * The side of a report's lesion. The rule, with its reasons: docs/datasets.md. In short: every mention of a side is
 * found and told apart by what it is about; only those about the lesion (edema and necrosis included) count.
 */
import { type Clause, splitClauses } from './clauses';
import { COMPARED, EDEMA, isNegated, LESION, NEGATED_BEFORE, nounAfter } from './negation';

export type Side = 'left' | 'right' | 'bilateral';
export const SIDES = ['left', 'right', 'bilateral', 'unknown', 'none'] as const;
/** `unknown`: no side is named. `none`: nothing to have a side, as in healthy subjects. */
export type Laterality = (typeof SIDES)[number];

/**
 * What a mention of a side is about. `lesion` and `edema` count; the rest is noted: a `ventricle` that is compressed or
 * otherwise changed, a shift of the `midline`, the side that something is compared with (`contralateral`), what is
 * said not to be there or to be normal (`negated`), and words that name no side of the brain (`other`: right-handed).
 */
export type About = 'lesion' | 'edema' | 'ventricle' | 'midline' | 'contralateral' | 'negated' | 'other';

export interface SideMention {
  /** The words that name the side, as written. */
  text: string;
  /** Where they begin in the report. */
  start: number;
  side: Side;
  about: About;
}

export interface LateralityReading {
  side: Exclude<Laterality, 'none'>;
  evidence: SideMention[];
  /** What a reader should know: sides that did not count, or that only the edema has. */
  notes: string[];
}

const PART = '(?:hemispheres|sides|lobes|ventricles|horns|thalami|ganglia|insulae?|insulas)';
/** Between `both` and what there are two of: no side, and no second `both x and y`. */
const FILLER = '(?:(?!left\\b|right\\b|and\\b|or\\b)[\\w-]+ +){0,3}';
const MENTION = new RegExp(
  [
    `(?<both>\\bboth +(?:of +)?${FILLER}${PART}\\b|\\bthe +two +(?:cerebral +)?hemispheres\\b|\\beither +side\\b|\\bbi-?hemispher\\w+|\\bbilateral(?:ly)?\\b` +
      '|\\b(?:left +(?:and|&) +(?:the +)?right|right +(?:and|&) +(?:the +)?left|left ?/ ?right|right ?/ ?left)\\b)',
    '(?<crossing>\\b(?:cross\\w*|beyond|across|through|traverse\\w*|span\\w*)(?: +of)?(?: +over)? +(?:the +)?' +
      '(?:brain +)?(?:midline|corpus +callosum))',
    '(?<left>\\bleft(?:ward|-sided)?\\b)',
    '(?<right>\\bright(?:ward|-sided)?\\b)',
  ].join('|'),
  'gi',
);

const NO_SIDE = /^(left|right)[- ]handed/i;
const VENTRICLE = /ventric|\bhorns?\b/i;
/** What happens to a ventricle, as opposed to a lesion that lies beside one. */
const EFFECT =
  /compress|deform|displac|effac|dilat|enlarg|narrow|squeez|push|press|mass effect|asymmetr|alter|flatten|distort|collaps|widen|hydroceph|smaller|larger|bigger|shrunk|shrink|shift/i;
const DIRECTION = /\b(?:to|towards?|into)(?: +the)?(?: +patient's)? +$/i;
const MIDLINE = /midline|falx/i;
const SHIFTED = /shift|displac|deviat|herniat|push|mov(?:es|ed|ing)|bulg/i;
/** "Crosses the midline to the left" is the lesion's own way, not a shift. */
const SPREADS = /cross|beyond|across|extend|spread|infiltrat|involv/i;
const BRAIN =
  /lobe|hemisphere|frontal|parietal|temporal|occipital|insula|gangli|thalam|cerebell|callos|capsule|white matter|cortex|gyr[iu]|radiata|semiovale/i;

/** The side of the lesion that a report describes. */
export function extractLaterality(report: string): LateralityReading {
  const evidence = splitClauses(report).flatMap(mentionsOf);
  const counted = evidence.filter(({ about }) => about === 'lesion' || about === 'edema');
  const side = sideOf(counted);
  return { side, evidence, notes: notesOn(side, evidence, counted) };
}

function mentionsOf(clause: Clause): SideMention[] {
  return [...clause.text.matchAll(MENTION)].map((match) => {
    const { both, crossing, left } = match.groups as Record<string, string | undefined>;
    const side = (both ?? crossing) ? 'bilateral' : left ? 'left' : 'right';
    const place = { clause: clause.text, at: match.index, text: match[0] };
    const about = crossing === undefined ? aboutSide(place) : aboutCrossing(place);
    return { text: match[0], start: clause.start + match.index, side, about };
  });
}

interface Place {
  clause: string;
  at: number;
  text: string;
}

/** "Crosses the midline" says both sides, of whatever it is said. */
function aboutCrossing({ clause, at }: Place): About {
  const before = clause.slice(0, at);
  if (NEGATED_BEFORE.test(before)) return 'negated';
  if (/shift|displac|herniat/i.test(clause)) return 'midline';
  return tissue(before, '');
}

function aboutSide({ clause, at, text }: Place): About {
  const before = clause.slice(0, at);
  const after = clause.slice(at + text.length);
  if (NO_SIDE.test(clause.slice(at))) return 'other';
  if (COMPARED.test(before)) return 'contralateral';
  const noun = nounAfter(after);
  if (isNegated(before, after, noun)) return 'negated';
  // A side that begins a noun of its own says what it is about, whatever else the clause speaks of.
  if (VENTRICLE.test(noun) || VENTRICLE.test(text)) return EFFECT.test(clause) ? 'ventricle' : tissue(before, noun);
  if (isDirection(before, text, noun) && SHIFTED.test(clause) && !SPREADS.test(before))
    return VENTRICLE.test(clause) && !MIDLINE.test(clause) ? 'ventricle' : 'midline';
  const hasLesion = LESION.test(before) || EDEMA.test(before);
  if (MIDLINE.test(clause) && SHIFTED.test(clause) && !LESION.test(clause)) return 'midline';
  if (VENTRICLE.test(clause) && EFFECT.test(clause) && !hasLesion && !BRAIN.test(noun)) return 'ventricle';
  return tissue(before, noun);
}

/** Whose side it is: that of the noun behind it, else of the nearest noun before it, else of the lesion. */
function tissue(before: string, noun: string): About {
  if (LESION.test(noun)) return 'lesion';
  if (EDEMA.test(noun)) return 'edema';
  const lastOf = (pattern: RegExp) => [...before.matchAll(new RegExp(pattern, 'gi'))].at(-1)?.index ?? -1;
  return lastOf(EDEMA) > lastOf(LESION) ? 'edema' : 'lesion';
}

/** "To the left", "leftward"; not "to the left lobe". */
function isDirection(before: string, text: string, noun: string): boolean {
  return /ward$/i.test(text) || (DIRECTION.test(before) && !BRAIN.test(noun));
}

function sideOf(counted: readonly SideMention[]): LateralityReading['side'] {
  const sides = new Set(counted.map(({ side }) => side));
  if (sides.has('bilateral') || (sides.has('left') && sides.has('right'))) return 'bilateral';
  return [...sides][0] ?? 'unknown';
}

function notesOn(
  side: LateralityReading['side'],
  evidence: readonly SideMention[],
  counted: readonly SideMention[],
): string[] {
  const notes: string[] = [];
  const others = evidence.filter((mention) => !counted.includes(mention) && mention.about !== 'other');
  for (const { text, side: named, about } of others) {
    if (named === side) continue;
    notes.push(`'${text}' is about ${DESCRIPTIONS[about]} and does not count`);
  }
  const lesionSide = sideOf(counted.filter(({ about }) => about === 'lesion'));
  if (lesionSide !== side && lesionSide !== 'unknown')
    notes.push(`the lesion itself is ${lesionSide}, ${side} only with its edema`);
  else if (lesionSide !== side) notes.push('only the edema has a side');
  const named = new Set(counted.map((mention) => mention.side));
  if (side === 'bilateral' && !named.has('bilateral') && lesionSide === side)
    notes.push('left and right are named apart, each of the lesion');
  return notes;
}

const DESCRIPTIONS: Record<About, string> = {
  lesion: 'the lesion',
  edema: 'the edema',
  ventricle: 'a ventricle',
  midline: 'the midline',
  contralateral: 'the side compared with',
  negated: 'something normal or absent',
  other: 'no side of the brain',
};

/**
 * The rule of the paper's authors: substrings of the lower-cased text. It takes "left ventricle compressed" in a
 * right-sided report for bilateral; it is here to compare with their split.
 */
export function peerLaterality(report: string): LateralityReading['side'] {
  const text = report.toLowerCase();
  if (PEER_BILATERAL.some((words) => text.includes(words))) return 'bilateral';
  const has = (side: string) =>
    [...PEER_PARTS.map((part) => `${side} ${part}`), `in the ${side}`, `on the ${side}`].some((words) =>
      text.includes(words),
    );
  const [left, right] = [has('left'), has('right')];
  if (left && right) return 'bilateral';
  return left ? 'left' : right ? 'right' : 'unknown';
}

const PEER_BILATERAL = ['bilateral', 'both hemisphere', 'both sides', 'left and right', 'right and left'];
const PEER_PARTS = [
  'hemisphere',
  'frontal',
  'temporal',
  'parietal',
  'occipital',
  'cerebellar',
  'basal ganglia',
  'thalamus',
  'ventricle',
  'side',
];
