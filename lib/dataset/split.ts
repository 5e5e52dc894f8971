/** Which subjects train, validate and test. A subject is never divided, and the same subjects always fall the same way. */

import { byText, fnv1a64, SplitMix64, shuffled } from '../rng';
import type { Laterality } from './laterality';

export const SPLITS = ['train', 'val', 'test'] as const;
export type Split = (typeof SPLITS)[number];

/** What a split looks at; one for each scan. */
export interface ScanOfSubject {
  subject: string;
  class: string;
  laterality: Laterality;
}

/**
 * 70/10/20 by subject, stratified by class and side: in a stratum of n >= 3 subjects, max(1, int(0.7 n)) train,
 * max(1, int(0.1 n)) validate and the rest tests; fewer than 3 all train. Each stratum is sorted by subject and shuffled
 * by its own generator, so that neither the order of the scans nor another stratum changes the result.
 * @returns by subject
 */
export function splitSubjects(scans: Iterable<ScanOfSubject>, seed: number): Map<string, Split> {
  const splits = new Map<string, Split>();
  for (const [stratum, subjects] of strata(scans)) {
    const random = new SplitMix64(BigInt(seed) ^ fnv1a64(stratum));
    const ordered = shuffled(subjects.sort(byText), random);
    const sizes = splitSizes(ordered.length);
    ordered.forEach((subject, place) => {
      splits.set(subject, place < sizes.train ? 'train' : place < sizes.train + sizes.val ? 'val' : 'test');
    });
  }
  return splits;
}

/** How many of a stratum's subjects each split gets. */
export function splitSizes(count: number): Record<Split, number> {
  if (count < 3) return { train: count, val: 0, test: 0 };
  // In floating point as the authors' code has it, where int(0.7 * 90) is 62.
  const train = Math.max(1, Math.floor(0.7 * count));
  const val = Math.max(1, Math.floor(0.1 * count));
  return { train, val, test: count - train - val };
}

/** Subjects by `class/side`, where a subject's side is that of all its scans together. */
function strata(scans: Iterable<ScanOfSubject>): Map<string, string[]> {
  const sides = new Map<string, { class: string; sides: Set<Laterality> }>();
  for (const scan of scans) {
    const known = sides.get(scan.subject);
    if (known === undefined) sides.set(scan.subject, { class: scan.class, sides: new Set([scan.laterality]) });
    else if (known.class === scan.class) known.sides.add(scan.laterality);
    else throw new RangeError(`expected one class for '${scan.subject}', got ${known.class} and ${scan.class}`);
  }
  const out = new Map<string, string[]>();
  for (const [subject, known] of sides) {
    const stratum = `${known.class}/${joinedSide(known.sides)}`;
    out.set(stratum, [...(out.get(stratum) ?? []), subject]);
  }
  return out;
}

/** Left in one scan and right in another are bilateral; a scan without a side takes nothing from the others. */
export function joinedSide(sides: ReadonlySet<Laterality>): Laterality {
  if (sides.has('bilateral') || (sides.has('left') && sides.has('right'))) return 'bilateral';
  for (const side of ['left', 'right', 'unknown'] as const) if (sides.has(side)) return side;
  return 'none';
}

/** Subjects whose scans are in more than one split, with those splits; sorted. */
export function findLeaks(scans: Iterable<{ subject: string; split: Split }>): [subject: string, splits: Split[]][] {
  const found = new Map<string, Set<Split>>();
  for (const { subject, split } of scans) found.set(subject, (found.get(subject) ?? new Set()).add(split));
  return [...found]
    .filter(([, splits]) => splits.size > 1)
    .map(([subject, splits]): [string, Split[]] => [subject, SPLITS.filter((split) => splits.has(split))])
    .sort(([a], [b]) => byText(a, b));
}
