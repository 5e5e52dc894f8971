/**
 * Healthy controls in BIDS (OpenNeuro): `sub-*`, perhaps `ses-*`, `anat/`, and there `sub-*_FLAIR.nii[.gz]` or
 * `sub-*_T2w.nii[.gz]`. Every run and session is a scan of its own; they all belong to the subject.
 */
import { basename, join, resolve } from 'node:path';
import { Brain3DError } from '../errors';
import { type DatasetProblem, type Found, type FoundScan, listFolder } from './scans';

const SOURCE = { source: 'bids', class: 'healthy' } as const;

/** @throws {Brain3DError} BRAIN3D_NOT_FOUND if there is no subject at all, BRAIN3D_IO */
export async function findBids(dir: string, modality: 'FLAIR' | 'T2w'): Promise<Found> {
  const subjects = await foldersIn(dir, 'sub-');
  if (subjects.length === 0) {
    const file = basename(resolve(dir));
    throw new Brain3DError('BRAIN3D_NOT_FOUND', `expected folders such as sub-01 in '${file}', got none`, { file });
  }
  const found: Found = { scans: [], problems: [] };
  for (const subject of subjects) {
    const subjectDir = join(dir, subject);
    const own = await findScans(subjectDir, { subject }, modality);
    for (const session of await foldersIn(subjectDir, 'ses-')) {
      const { scans, problems } = await findScans(join(subjectDir, session), { subject, session }, modality);
      own.scans.push(...scans);
      own.problems.push(...problems);
    }
    if (own.scans.length + own.problems.length === 0)
      own.problems.push(problem({ subject }, subject, `expected a ${modality} image in anat/, got none`));
    found.scans.push(...own.scans);
    found.problems.push(...own.problems);
  }
  return found;
}

interface Visit {
  subject: string;
  session?: string;
}

/** The scans in `dir`/anat, where there is one. */
async function findScans(dir: string, visit: Visit, modality: 'FLAIR' | 'T2w'): Promise<Found> {
  const found: Found = { scans: [], problems: [] };
  if (!(await listFolder(dir)).some(({ name, isFolder }) => isFolder && name === 'anat')) return found;
  const anat = join(dir, 'anat');
  const images = new Map<string, string[]>();
  for (const { name, isFile } of await listFolder(anat)) {
    const id = isFile ? /^(.+)\.nii(?:\.gz)?$/.exec(name)?.[1] : undefined;
    if (id?.endsWith(`_${modality}`)) images.set(id, [...(images.get(id) ?? []), name]);
  }
  for (const [id, names] of images) {
    const [image, second] = names as [string, string?];
    if (!id.startsWith(`${visit.subject}_`))
      found.problems.push(problem(visit, id, `expected a name that begins with ${visit.subject}_, got ${image}`));
    else if (second !== undefined)
      found.problems.push(problem(visit, id, `expected one image, got ${names.join(' and ')}; keep one`));
    else found.scans.push(scan(visit, id, modality, join(anat, image)));
  }
  return found;
}

function scan(visit: Visit, id: string, modality: 'FLAIR' | 'T2w', image: string): FoundScan {
  return { id, ...visit, ...SOURCE, modality, image, reportFile: null };
}

async function foldersIn(dir: string, prefix: string): Promise<string[]> {
  return (await listFolder(dir))
    .filter(({ name, isFolder }) => isFolder && name.startsWith(prefix))
    .map(({ name }) => name);
}

function problem(visit: Visit, id: string, message: string): DatasetProblem {
  return { id, ...visit, ...SOURCE, code: 'BRAIN3D_NOT_FOUND', message };
}
