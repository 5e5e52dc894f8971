/**
 * Makes small folders like those of BraTS 2020, TextBraTS and OpenNeuro. The images are balls, and the reports are
 * ours.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Volume } from 'brain3d';

const SIDE = 16;
const LPS = [-1.25, 0, 0, 11.3, 0, -1.25, 0, 17.9, 0, 0, 1.25, -6.2, 0, 0, 0, 1];
const RAS = [1.25, 0, 0, -9.4, 0, 1.25, 0, -5.7, 0, 0, 1.25, -8.3, 0, 0, 0, 1];

export const REPORTS = {
  left: 'The lesion is located in the left temporal lobe with surrounding edema. The left ventricle is compressed.',
  right: 'The lesion is located in the right frontal lobe with necrosis. The left ventricle is compressed.',
  bilateral: 'The lesion involves both frontal lobes and the corpus callosum.',
  unknown: 'The lesion is located in the frontal lobe with necrosis inside.',
} as const;

/** Writes a ball whose content depends on `seed`, stored as LPS as BraTS is, or as RAS. */
export async function writeScan(path: string, seed: number, orientation: 'LPS' | 'RAS' = 'LPS'): Promise<void> {
  mkdirSync(dirname(path), { recursive: true });
  const voxels = new Float32Array(SIDE ** 3).map((_, index) => {
    const [d, h, w] = [Math.floor(index / SIDE ** 2), Math.floor(index / SIDE) % SIDE, index % SIDE];
    return Math.hypot(d - 8, h - 8, w - (4 + (seed % 8))) < 4 ? 100 + seed : (d + h + w) % 7;
  });
  await Volume.fromArray(voxels, [SIDE, SIDE, SIDE], orientation === 'LPS' ? LPS : RAS).write(path);
}

/** Returns `BraTS20_Training_001` and so on. */
export function bratsId(index: number): string {
  return `BraTS20_Training_${String(index + 1).padStart(3, '0')}`;
}

/** Writes a subject of BraTS with its report. */
export async function writeBratsSubject(dir: string, index: number, report: string, ending = '.nii'): Promise<string> {
  const id = bratsId(index);
  await writeScan(join(dir, 'brats', id, `${id}_flair${ending}`), index);
  writeReport(dir, id, report);
  return id;
}

export function writeReport(dir: string, id: string, report: string | Buffer): void {
  mkdirSync(join(dir, 'reports', id), { recursive: true });
  writeFileSync(join(dir, 'reports', id, `${id}_flair_text.txt`), report);
}

/** Writes `dir`/brats, `dir`/reports and `dir`/healthy: four patients, three controls of which one came twice. */
export async function writeDatasetFolders(dir: string): Promise<void> {
  for (const [index, side] of (['left', 'right', 'bilateral', 'right'] as const).entries())
    await writeBratsSubject(dir, index, `${REPORTS[side]}\n`, index === 0 ? '.nii.gz' : '.nii');
  await writeScan(join(dir, 'brats', bratsId(0), `${bratsId(0)}_seg.nii.gz`), 0);
  const healthy = (path: string, seed: number) => writeScan(join(dir, 'healthy', path), seed, 'RAS');
  await healthy('sub-01/anat/sub-01_FLAIR.nii.gz', 101);
  await healthy('sub-02/ses-01/anat/sub-02_ses-01_FLAIR.nii.gz', 102);
  await healthy('sub-02/ses-02/anat/sub-02_ses-02_FLAIR.nii.gz', 103);
  await healthy('sub-03/anat/sub-03_acq-lowres_FLAIR.nii', 104);
  await healthy('sub-03/anat/sub-03_T2w.nii', 105);
}
