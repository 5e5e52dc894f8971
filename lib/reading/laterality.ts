/**
 * Finds the side of a report's lesion. Every mention of a side is found and classified by what it is about. Only those
 * about the lesion (edema and necrosis included) count. docs/datasets.md has the rule with its reasons.
 */
import { type About, aboutSides } from './about-side';
import { readContext } from './context';

export type { About } from './about-side';
export type Side = 'left' | 'right' | 'bilateral';
export const SIDES = ['left', 'right', 'bilateral', 'unknown', 'none'] as const;
/** `unknown` means that no side is named; `none`, that there is nothing to have a side, as in healthy subjects. */
export type Laterality = (typeof SIDES)[number];

export interface SideMention {
  /** The words that name the side, as written. */
  text: string;
  /** The index in the report where they begin. */
  start: number;
  side: Side;
  about: About;
}

export interface LateralityReading {
  side: Exclude<Laterality, 'none'>;
  evidence: SideMention[];
  /** Notes for a reader: sides that did not count, or that only the edema has. */
  notes: string[];
}

/** Returns the side of the lesion that a report describes. */
export function extractLaterality(report: string): LateralityReading {
  const evidence = aboutSides(readContext(report), report).map(({ clause, side: { kind, from, to, about } }) => {
    const [start, end] = [clause.words[from]?.start ?? 0, clause.words[to - 1]?.end ?? 0];
    const side: Side = kind === 'left' || kind === 'right' ? kind : 'bilateral';
    return { text: report.slice(start, end), start, side, about };
  });
  const counted = evidence.filter(({ about }) => about === 'lesion' || about === 'edema');
  const side = sideOf(counted);
  return { side, evidence, notes: notesOn(side, evidence, counted) };
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
  negated: 'something normal, absent, past or asked for',
  other: 'no side of the brain',
};

/**
 * The rule of the paper's authors, which searches the lower-cased text for substrings. It takes "left ventricle
 * compressed" in a right-sided report for bilateral. It serves to compare with their split.
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
