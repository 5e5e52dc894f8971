/**
 * Finds the scans of BraTS 2020 with the reports of TextBraTS: `ID/ID_flair.nii[.gz]`, perhaps `ID/ID_seg.nii[.gz]`,
 * and in the folder of reports `ID/ID_flair_text.txt`. The option that names a folder decides what its scans are; the
 * path does not.
 */
import { basename, join, resolve } from 'node:path';
import { Brain3DError } from '../base/errors';
import { niftiStem } from './bids-name';
import {
  type DatasetProblem,
  type FolderEntry,
  type Found,
  type FoundScan,
  isScanFault,
  listFolder,
  notAFile,
} from './scans';

const SOURCE = { source: 'brats', class: 'glioma' } as const;

/** @throws {Brain3DError} BRAIN3D_NOT_FOUND if there is no subject at all, BRAIN3D_IO */
export async function findBrats(imagesDir: string, reportsDir: string): Promise<Found> {
  const subjects = (await listFolder(imagesDir)).filter(({ isFile }) => !isFile);
  const reported = new Map((await listFolder(reportsDir)).map((entry) => [entry.name, entry]));
  if (!subjects.some(({ isFolder }) => isFolder)) {
    const file = basename(resolve(imagesDir));
    const message = `expected folders such as BraTS20_Training_001 in '${file}', got none`;
    throw new Brain3DError('BRAIN3D_NOT_FOUND', message, { file });
  }
  const found: Found = { scans: [], problems: [] };
  for (const entry of subjects) {
    const scan = await findScan(imagesDir, reportsDir, entry, reported.get(entry.name));
    if ('message' in scan) found.problems.push(scan);
    else found.scans.push(scan);
  }
  const names = new Set(subjects.map(({ name }) => name));
  for (const { name, isFile } of reported.values())
    if (!isFile && !names.has(name)) found.problems.push(problem(name, 'there is a report but no folder of images'));
  return found;
}

async function findScan(
  imagesDir: string,
  reportsDir: string,
  { name: subject, isFolder, fault }: FolderEntry,
  reports: FolderEntry | undefined,
): Promise<FoundScan | DatasetProblem> {
  if (!isFolder) return problem(subject, `expected a folder, got ${fault}`);
  try {
    const files = await listFolder(join(imagesDir, subject));
    const image = onlyNifti(files, `${subject}_flair`);
    if (image === null) return problem(subject, `expected ${subject}_flair.nii or .nii.gz, got neither`);
    const segmentation = onlyNifti(files, `${subject}_seg`);
    const report = `${subject}_flair_text.txt`;
    if (reports !== undefined && !reports.isFolder && !reports.isFile)
      return problem(subject, `expected a folder with the report ${report}, got ${reports.fault}`);
    const texts = reports?.isFolder ? await listFolder(join(reportsDir, subject)) : [];
    const text = texts.find(({ name }) => name === report);
    if (text === undefined) return problem(subject, `expected the report ${report}, got none`);
    requireFile(text);
    return {
      id: subject,
      subject,
      ...SOURCE,
      modality: 'FLAIR',
      image: join(imagesDir, subject, image),
      ...(segmentation === null ? {} : { segmentation: join(imagesDir, subject, segmentation) }),
      reportFile: join(reportsDir, subject, report),
    };
  } catch (error) {
    if (!isScanFault(error)) throw error;
    return { ...problem(subject, error.message), code: error.code };
  }
}

/**
 * Returns the file of that name with either ending, in any case; null if there is none. @throws {Brain3DError}
 * BRAIN3D_NOT_FOUND
 */
function onlyNifti(entries: readonly FolderEntry[], stem: string): string | null {
  const found = entries.filter(({ name }) => niftiStem(name) === stem);
  const [first, second] = found;
  if (first === undefined) return null;
  if (second !== undefined) {
    const names = found.map(({ name }) => name).join(' and ');
    throw new Brain3DError('BRAIN3D_NOT_FOUND', `expected one image, got ${names}; keep one`);
  }
  requireFile(first);
  return first.name;
}

/** @throws {Brain3DError} BRAIN3D_NOT_FOUND */
function requireFile(entry: FolderEntry): void {
  const fault = notAFile(entry);
  if (fault === null) return;
  throw new Brain3DError('BRAIN3D_NOT_FOUND', `expected a file, but ${entry.name} is ${fault}`, { file: entry.name });
}

function problem(subject: string, message: string): DatasetProblem {
  return { id: subject, subject, ...SOURCE, code: 'BRAIN3D_NOT_FOUND', message };
}
