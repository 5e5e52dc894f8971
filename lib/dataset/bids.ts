/**
 * Finds healthy controls in BIDS (OpenNeuro): folders `sub-*`, perhaps `ses-*`, then `anat/` with
 * `sub-*_FLAIR.nii[.gz]` or `sub-*_T2w.nii[.gz]`. Every run and session is a scan of its own; they all belong to the
 * subject. An entry that has the name of a scan and cannot be one is a problem; it is never left out in silence.
 */
import { basename, join, resolve } from 'node:path';
import { Brain3DError } from '../base/errors';
import { niftiStem, parseBidsName } from './bids-name';
import {
  type DatasetProblem,
  type FolderEntry,
  type Found,
  type FoundScan,
  isScanFault,
  listFolder,
  notAFile,
} from './scans';

const SOURCE = { source: 'bids', class: 'healthy' } as const;
type Modality = 'FLAIR' | 'T2w';

/** @throws {Brain3DError} BRAIN3D_NOT_FOUND if there is no subject at all, BRAIN3D_IO */
export async function findBids(dir: string, modality: Modality): Promise<Found> {
  const subjects = (await listFolder(dir)).filter((entry) => isLabelled(entry, 'sub'));
  if (subjects.length === 0) {
    const file = basename(resolve(dir));
    throw new Brain3DError('BRAIN3D_NOT_FOUND', `expected folders such as sub-01 in '${file}', got none`, { file });
  }
  const found: Found = { scans: [], problems: [] };
  for (const entry of subjects) {
    const subject = entry.name;
    const own = await findSubject(dir, entry, modality);
    if (own.scans.length + own.problems.length === 0)
      own.problems.push(problem({ subject }, subject, `expected a ${modality} image in anat/, got none`));
    found.scans.push(...own.scans);
    found.problems.push(...own.problems);
  }
  return found;
}

/**
 * Whether an entry is, or should be, the folder of a subject or session, judged by the beginning of its name. Files
 * such as `sub-01_scans.tsv` are not.
 */
function isLabelled({ name, isFile }: FolderEntry, kind: 'sub' | 'ses'): boolean {
  return name.startsWith(`${kind}-`) && !(isFile && /[_.]/.test(name));
}

interface Visit {
  subject: string;
  session?: string;
}

async function findSubject(dir: string, entry: FolderEntry, modality: Modality): Promise<Found> {
  const subject = entry.name;
  return inFolder(dir, entry, { subject }, async (folder, entries) => {
    const own = await findScans(folder, entries, { subject }, modality);
    for (const child of entries.filter((one) => isLabelled(one, 'ses'))) {
      const visit = { subject, session: child.name };
      const ofSession = await inFolder(folder, child, visit, (inner, list) => findScans(inner, list, visit, modality));
      own.scans.push(...ofSession.scans);
      own.problems.push(...ofSession.problems);
    }
    return own;
  });
}

/** Runs `find` on the folder of a subject or session. An entry that is no folder, or cannot be read, is a problem. */
async function inFolder(
  parent: string,
  entry: FolderEntry,
  visit: Visit,
  find: (dir: string, entries: FolderEntry[]) => Promise<Found>,
): Promise<Found> {
  const id = visit.session === undefined ? visit.subject : `${visit.subject}_${visit.session}`;
  const refuse = (message: string): Found => ({ scans: [], problems: [problem(visit, id, message)] });
  if (!entry.isFolder) return refuse(`expected a folder, got ${entry.isFile ? 'a file' : entry.fault}`);
  if (!/^[a-z]+-[A-Za-z0-9+]+$/.test(entry.name))
    return refuse('expected a folder whose name has letters and digits only behind its first -');
  const dir = join(parent, entry.name);
  try {
    return await find(dir, await listFolder(dir));
  } catch (error) {
    if (!isScanFault(error)) throw error;
    return { scans: [], problems: [{ ...problem(visit, id, error.message), code: error.code }] };
  }
}

/** Finds the scans in the folder's anat/, where there is one. */
async function findScans(dir: string, entries: FolderEntry[], visit: Visit, modality: Modality): Promise<Found> {
  const found: Found = { scans: [], problems: [] };
  const folder = entries.find(({ name }) => name === 'anat');
  if (folder === undefined) return found;
  if (!folder.isFolder) {
    const id = [...Object.values(visit), 'anat'].join('_');
    found.problems.push(problem(visit, id, `expected a folder, got ${folder.isFile ? 'a file' : folder.fault}`));
    return found;
  }
  const anat = join(dir, 'anat');
  const images = new Map<string, FolderEntry[]>();
  for (const entry of await listFolder(anat)) {
    const stem = niftiStem(entry.name);
    if (stem !== null) images.set(stem, [...(images.get(stem) ?? []), entry]);
  }
  for (const [stem, files] of images) {
    const result = readScan(stem, files, anat, visit, modality);
    if (typeof result === 'string') found.problems.push(problem(visit, stem, result));
    else if (result !== null) found.scans.push(result);
  }
  return found;
}

/** Returns a scan, the reason why it cannot be used, or null for another kind of image. */
function readScan(
  stem: string,
  [entry, second]: readonly FolderEntry[],
  anat: string,
  visit: Visit,
  modality: Modality,
): FoundScan | string | null {
  const name = parseBidsName(stem, modality);
  if (name.kind === 'other') return null;
  if (name.kind === 'refused') return name.reason;
  const image = (entry as FolderEntry).name;
  if (name.subject !== visit.subject) return `expected a name that begins with ${visit.subject}_, got ${image}`;
  if (name.session !== null && name.session !== visit.session)
    return `expected a name of ${visit.session ?? 'no session'}, as its folder has it, got ${image}`;
  if (second !== undefined) return `expected one image, got ${image} and ${second.name}; keep one`;
  const fault = notAFile(entry as FolderEntry);
  if (fault !== null) return `expected a file, but ${image} is ${fault}`;
  // The id comes from the folders and the entities, not from the file's name: two sessions may give their files the
  // same name.
  const parts = [visit.subject, visit.session, name.rest, modality].filter((part) => part !== undefined && part !== '');
  return { id: parts.join('_'), ...visit, ...SOURCE, modality, image: join(anat, image), reportFile: null };
}

function problem(visit: Visit, id: string, message: string): DatasetProblem {
  return { id, ...visit, ...SOURCE, code: 'BRAIN3D_NOT_FOUND', message };
}
