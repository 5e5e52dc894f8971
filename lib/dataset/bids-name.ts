/**
 * Reads names of images in BIDS, such as `sub-01_ses-02_acq-3d_run-1_FLAIR.nii.gz`, and accepts only known entities.
 */

/**
 * The entities of a scan that a report can be about, in any order. Other entities say that a file is a part of a scan
 * or made from one: a phase image, an echo, a chunk, a map in another space, after contrast.
 */
const ENTITIES = new Set(['sub', 'ses', 'acq', 'rec', 'run', 'part']);
/** The value of `part` for the image that one looks at. */
const MAGNITUDE = 'mag';

export type BidsName =
  /** The name of another kind of file, or of none. */
  | { kind: 'other' }
  /** The name of an image of this modality, or meant to be one, that cannot be used. */
  | { kind: 'refused'; reason: string }
  | { kind: 'image'; subject: string; session: string | null /** such as `acq-3d_run-1`, or empty */; rest: string };

/** Returns the name without `.nii` or `.nii.gz`, upper or lower case; null for other files. */
export function niftiStem(name: string): string | null {
  return /^(.+?)\.nii(?:\.gz)?$/i.exec(name)?.[1] ?? null;
}

/** @param stem without the ending */
export function parseBidsName(stem: string, modality: string): BidsName {
  const parts = stem.split('_');
  const suffix = parts.pop() as string;
  if (suffix !== modality) {
    // A suffix such as `_flair`, or an ending that stands twice, was meant for a scan.
    const isMeant = suffix.toLowerCase().split('.')[0] === modality.toLowerCase();
    return isMeant ? refused(`expected a name that ends in _${modality} and .nii or .nii.gz`) : { kind: 'other' };
  }
  const entities = new Map<string, string>();
  for (const part of parts) {
    const [, key, label] = /^([a-z]+)-([A-Za-z0-9+]+)$/.exec(part) ?? [];
    if (key === undefined || label === undefined)
      return refused('expected parts such as acq-3d between _ in its name, got something else');
    if (entities.has(key)) return refused(`expected ${key}- once in its name`);
    if (!ENTITIES.has(key))
      return refused(`its name has ${key}-, so it is no plain scan; known are ${[...ENTITIES].join(', ')}`);
    entities.set(key, label);
  }
  if (entities.has('part') && entities.get('part') !== MAGNITUDE)
    return refused(`its name has part-, but not part-${MAGNITUDE}: it shows no magnitudes`);
  const subject = entities.get('sub');
  if (subject === undefined) return refused('expected a name that begins with sub-');
  const session = entities.get('ses');
  const rest = [...entities].filter(([key]) => key !== 'sub' && key !== 'ses').map(([key, label]) => `${key}-${label}`);
  return {
    kind: 'image',
    subject: `sub-${subject}`,
    session: session === undefined ? null : `ses-${session}`,
    rest: rest.join('_'),
  };
}

function refused(reason: string): BidsName {
  return { kind: 'refused', reason };
}
