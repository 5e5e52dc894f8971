/**
 * BraTS 2020 with the reports of TextBraTS: `ID/ID_flair.nii[.gz]`, perhaps `ID/ID_seg.nii[.gz]`, and in the folder of
 * reports `ID/ID_flair_text.txt`. What a scan is comes from the option that named the folder, never from the path.
 */
import { basename, join, resolve } from 'node:path';
import { Brain3DError } from '../errors';
import { type DatasetProblem, type Found, type FoundScan, listFolder } from './scans';

const SOURCE = { source: 'brats', class: 'glioma' } as const;

/** @throws {Brain3DError} BRAIN3D_NOT_FOUND if there is no subject at all, BRAIN3D_IO */
export async function findBrats(imagesDir: string, reportsDir: string): Promise<Found> {
  const subjects = (await listFolder(imagesDir)).filter(({ isFolder }) => isFolder).map(({ name }) => name);
  const reported = (await listFolder(reportsDir)).filter(({ isFolder }) => isFolder).map(({ name }) => name);
  if (subjects.length === 0) {
    const file = basename(resolve(imagesDir));
    const message = `expected folders such as BraTS20_Training_001 in '${file}', got none`;
    throw new Brain3DError('BRAIN3D_NOT_FOUND', message, { file });
  }
  const found: Found = { scans: [], problems: [] };
  for (const subject of subjects) {
    const scan = await findScan(imagesDir, reportsDir, subject);
    if ('message' in scan) found.problems.push(scan);
    else found.scans.push(scan);
  }
  for (const subject of reported.filter((name) => !subjects.includes(name)))
    found.problems.push(problem(subject, 'there is a report but no folder of images'));
  return found;
}

async function findScan(imagesDir: string, reportsDir: string, subject: string): Promise<FoundScan | DatasetProblem> {
  const files = new Set(await filesIn(imagesDir, subject));
  const images = niftiNames(`${subject}_flair`).filter((name) => files.has(name));
  const [image, second] = images;
  if (image === undefined) return problem(subject, `expected ${subject}_flair.nii or .nii.gz, got neither`);
  if (second !== undefined) return problem(subject, `expected one image, got ${images.join(' and ')}; keep one`);
  const report = `${subject}_flair_text.txt`;
  const reports = await filesIn(reportsDir, subject).catch((error: unknown): string[] => {
    if (Brain3DError.isInstance(error) && error.code === 'BRAIN3D_NOT_FOUND') return [];
    throw error;
  });
  if (!reports.includes(report)) return problem(subject, `expected the report ${report}, got none`);
  const segmentation = niftiNames(`${subject}_seg`).find((name) => files.has(name));
  return {
    id: subject,
    subject,
    ...SOURCE,
    modality: 'FLAIR',
    image: join(imagesDir, subject, image),
    ...(segmentation === undefined ? {} : { segmentation: join(imagesDir, subject, segmentation) }),
    reportFile: join(reportsDir, subject, report),
  };
}

async function filesIn(dir: string, subject: string): Promise<string[]> {
  return (await listFolder(join(dir, subject))).filter(({ isFile }) => isFile).map(({ name }) => name);
}

function niftiNames(stem: string): string[] {
  return [`${stem}.nii`, `${stem}.nii.gz`];
}

function problem(subject: string, message: string): DatasetProblem {
  return { id: subject, subject, ...SOURCE, code: 'BRAIN3D_NOT_FOUND', message };
}
