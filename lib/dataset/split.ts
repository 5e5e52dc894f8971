/**
 * Decides which subjects train, validate and test. A subject is never divided, and the same subjects always fall the
 * same way.
 */

import { fnv1a64, SplitMix64, shuffled } from '../base/rng';
import { byText } from '../base/sort';
import type { Laterality } from '../reading/laterality';
import { subjectIdentity } from './subject-identity';

export const SPLITS = ['train', 'val', 'test'] as const;
export type Split = (typeof SPLITS)[number];

/** The fields of a scan that decide its split. */
export interface ScanOfSubject {
  subject: string;
  class: string;
  laterality: Laterality;
}

/**
 * Splits 70/10/20 by subject, stratified by class and side. In a stratum of n >= 3 subjects, max(1, int(0.7 n)) train,
 * max(1, int(0.1 n)) validate and the rest tests; fewer than 3 all train. Each stratum is sorted by subject and
 * shuffled by its own generator, so that neither the order of the scans nor another stratum changes the result. Names
 * that differ only in spelling (`subjectIdentity`) are one subject.
 * @returns by subject
 */
export function splitSubjects(scans: Iterable<ScanOfSubject>, seed: number): Map<string, Split> {
  const splits = new Map<string, Split>();
  for (const [stratum, people] of strata(scans)) {
    const random = new SplitMix64(BigInt(seed) ^ fnv1a64(stratum));
    const ordered = shuffled(people.sort(byFirstName), random);
    const sizes = splitSizes(ordered.length);
    ordered.forEach(({ names }, place) => {
      const split = place < sizes.train ? 'train' : place < sizes.train + sizes.val ? 'val' : 'test';
      for (const name of names) splits.set(name, split);
    });
  }
  return splits;
}

/** The number of a stratum's subjects in each split. */
export function splitSizes(count: number): Record<Split, number> {
  if (count < 3) return { train: count, val: 0, test: 0 };
  // The product is in floating point as in the authors' code, where int(0.7 * 90) is 62.
  const train = Math.max(1, Math.floor(0.7 * count));
  const val = Math.max(1, Math.floor(0.1 * count));
  return { train, val, test: count - train - val };
}

/** A subject, with every spelling of its name, sorted. */
interface Person {
  names: string[];
}

function byFirstName(a: Person, b: Person): number {
  return byText(a.names[0] as string, b.names[0] as string);
}

/** Groups subjects by `class/side`, where a subject's side is that of all its scans together. */
function strata(scans: Iterable<ScanOfSubject>): Map<string, Person[]> {
  const people = new Map<string, { names: Set<string>; class: string; sides: Set<Laterality> }>();
  for (const scan of scans) {
    const identity = subjectIdentity(scan.subject);
    const known = people.get(identity) ?? { names: new Set(), class: scan.class, sides: new Set() };
    if (known.class !== scan.class)
      throw new RangeError(`expected one class for '${scan.subject}', got ${known.class} and ${scan.class}`);
    known.names.add(scan.subject);
    known.sides.add(scan.laterality);
    people.set(identity, known);
  }
  const out = new Map<string, Person[]>();
  for (const { names, class: kind, sides } of people.values()) {
    const stratum = `${kind}/${joinedSide(sides)}`;
    out.set(stratum, [...(out.get(stratum) ?? []), { names: [...names].sort(byText) }]);
  }
  return out;
}

/**
 * The side of all scans together. Left in one scan and right in another make bilateral; a scan without a side changes
 * nothing.
 */
export function joinedSide(sides: ReadonlySet<Laterality>): Laterality {
  if (sides.has('bilateral') || (sides.has('left') && sides.has('right'))) return 'bilateral';
  for (const side of ['left', 'right', 'unknown'] as const) if (sides.has(side)) return side;
  return 'none';
}

/**
 * Finds subjects whose scans are in more than one split, with those splits, sorted. Several spellings are named
 * together.
 */
export function findLeaks(scans: Iterable<{ subject: string; split: Split }>): [subject: string, splits: Split[]][] {
  const found = new Map<string, { names: Set<string>; splits: Set<Split> }>();
  for (const { subject, split } of scans) {
    const identity = subjectIdentity(subject);
    const known = found.get(identity) ?? { names: new Set(), splits: new Set() };
    found.set(identity, known);
    known.names.add(subject);
    known.splits.add(split);
  }
  return [...found.values()]
    .filter(({ splits }) => splits.size > 1)
    .map(({ names, splits }): [string, Split[]] => [
      [...names].sort(byText).join(' or '),
      SPLITS.filter((split) => splits.has(split)),
    ])
    .sort(([a], [b]) => byText(a, b));
}
