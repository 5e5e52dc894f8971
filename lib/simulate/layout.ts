/** The paths of a cohort's files, in the layouts of BraTS 2020, TextBraTS and BIDS. */
import { join } from 'node:path';
import type { SubjectPlan } from './plan';

export const FOLDERS = { brats: 'brats', reports: 'reports', healthy: 'healthy' } as const;

export interface SubjectFiles {
  folders: string[];
  flair: string;
  segmentation: string | null;
  /** The true brain mask, written for heads that keep their skull. */
  brain: string;
  report: string | null;
  truth: string;
}

export function subjectFiles(out: string, { id, side }: SubjectPlan): SubjectFiles {
  if (side === null) {
    const anat = join(out, FOLDERS.healthy, id, 'anat');
    return {
      folders: [anat],
      flair: join(anat, `${id}_FLAIR.nii.gz`),
      segmentation: null,
      brain: join(anat, `${id}_desc-brain_mask.nii.gz`),
      report: null,
      truth: join(anat, `${id}_truth.json`),
    };
  }
  const images = join(out, FOLDERS.brats, id);
  const texts = join(out, FOLDERS.reports, id);
  return {
    folders: [images, texts],
    flair: join(images, `${id}_flair.nii.gz`),
    segmentation: join(images, `${id}_seg.nii.gz`),
    brain: join(images, `${id}_brainmask.nii.gz`),
    report: join(texts, `${id}_flair_text.txt`),
    truth: join(images, `${id}_truth.json`),
  };
}
