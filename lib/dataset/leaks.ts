/** Checks that no person and no image is in more than one split. */
import { Brain3DError } from '../base/errors';
import type { ManifestEntry } from './manifest';
import { findLeaks } from './split';

type SplitScan = Pick<ManifestEntry, 'id' | 'subject' | 'split'>;

/**
 * Refuses a subject in two splits: validation, or the test, would then measure memory.
 * @throws {Brain3DError} BRAIN3D_CONFIG
 */
export function requireNoLeak(scans: Iterable<SplitScan>, file: string): void {
  const [leak, ...others] = findLeaks(scans);
  if (leak === undefined) return;
  const [subject, splits] = leak;
  const more = others.length === 0 ? '' : `, and ${others.length} more`;
  throw new Brain3DError(
    'BRAIN3D_CONFIG',
    `${file}: expected each subject in one split, got '${subject}' in ${splits.join(' and ')}${more}; \`brain3d dataset check\` lists all`,
    { file, field: 'split' },
  );
}

/** Groups scans that show the same image. Groups of one scan, and scans without a key, are left out. */
export function sameImages<T extends { id: string }>(
  scans: Iterable<T>,
  keys: ReadonlyMap<string, string | null>,
): [T, ...T[]][] {
  const groups = new Map<string, [T, ...T[]]>();
  for (const scan of scans) {
    const key = keys.get(scan.id) ?? null;
    if (key === null) continue;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [scan]);
    else group.push(scan);
  }
  return [...groups.values()].filter((group) => group.length > 1);
}

/**
 * Refuses an image in two splits, whatever its subject is called.
 * @throws {Brain3DError} BRAIN3D_CONFIG
 */
export function requireNoSharedImage(
  scans: Iterable<SplitScan>,
  keys: ReadonlyMap<string, string | null>,
  file: string,
): void {
  const divided = sameImages(scans, keys).filter((group) => new Set(group.map(({ split }) => split)).size > 1);
  const [first, ...others] = divided;
  if (first === undefined) return;
  const [a, b] = [first[0], first.find(({ split }) => split !== first[0].split) as SplitScan];
  const more = others.length === 0 ? '' : `; so are ${others.length} more images`;
  throw new Brain3DError(
    'BRAIN3D_CONFIG',
    `${file}: expected each image in one split, got the same one as ${a.id} (${a.split}) and ${b.id} (${b.split})${more}; leave ` +
      'out one of them, or give both one subject and split (`brain3d dataset check` lists all)',
    { file, field: 'image' },
  );
}
