/** Refuses images that are sound but unlike those that any model of this kind was trained on. */
import { basename, resolve } from 'node:path';
import * as v from 'valibot';
import { Brain3DError } from '../base/errors';
import { is } from '../base/validate';
import { modalityName, notFlair } from '../dicom/acquisition';
import { readSidecar } from './sidecar';
import type { Volume, VolumeInfo } from './volume';

export const limitEntries = {
  /** Accepts any number and spacing of slices and voxels. @default false */
  allowGeometry: v.optional(is.flag()),
  /** Accepts an image that is no FLAIR image by its BIDS name, its sidecar or its DICOM headers. @default false */
  allowModality: v.optional(is.flag()),
};
export interface LimitOptions {
  allowGeometry?: boolean | undefined;
  allowModality?: boolean | undefined;
}

const MIN_SLICES = 16;
const MIN_IN_PLANE = 32;
const MAX_SPACING_MM = 10;
const MAX_ANISOTROPY = 12;

/** A BIDS name such as `sub-01_ses-02_acq-a_T1w.nii.gz`: entities, then the suffix that names the modality. */
const BIDS_NAME = /^sub-[a-z0-9]+((?:_[a-z0-9]+-[a-z0-9+]+)*)_([a-z0-9]+)\.nii(?:\.gz)?$/i;
const MODALITY = 'FLAIR';
const ADVICE = 'allow it with --allow-modality (API: allowModality)';

/**
 * Slices lie along the axis with the largest spacing; of equal ones along the shortest.
 * @param name of the volume, for messages
 * @throws {Brain3DError} BRAIN3D_UNSUPPORTED for few slices, few voxels in plane, large or very unequal spacings
 */
export function requireGeometry(
  { shape, spacingMm }: Pick<VolumeInfo, 'shape' | 'spacingMm'>,
  { allowGeometry }: LimitOptions,
  name?: string,
): void {
  if (allowGeometry) return;
  const [depth, height, width] = shape;
  const axes = [width, height, depth].map((voxels, axis) => ({ voxels, mm: spacingMm[axis] as number }));
  const [slices, ...plane] = axes.toSorted((a, b) => b.mm - a.mm || a.voxels - b.voxels) as [Axis, Axis, Axis];
  const largest = slices.mm;
  const anisotropy = largest / Math.min(...spacingMm);
  const fault =
    slices.voxels < MIN_SLICES
      ? `expected at least ${MIN_SLICES} slices, got ${slices.voxels}`
      : plane.some(({ voxels }) => voxels < MIN_IN_PLANE)
        ? `expected at least ${MIN_IN_PLANE} voxels along each axis of a slice, got ${plane.map(({ voxels }) => voxels).join(' x ')}`
        : largest > MAX_SPACING_MM
          ? `expected voxels of at most ${MAX_SPACING_MM} mm, got ${shown(largest)} mm`
          : anisotropy > MAX_ANISOTROPY
            ? `expected spacings at most ${MAX_ANISOTROPY} times one another, got ${shown(anisotropy)} times`
            : null;
  if (fault === null) return;
  throw refused(`${fault}; allow it with --allow-geometry (API: allowGeometry)`, name, 'geometry');
}

interface Axis {
  voxels: number;
  mm: number;
}

/**
 * Refuses an image of another modality. The modality is stated by a name in BIDS form, by the JSON that BIDS and
 * dcm2niix put beside a volume, or, for a folder of DICOM slices, by the slices once they are read. These statements
 * can refuse an image, and never change what is computed.
 * @param source path of a NIfTI file, or a volume as read
 * @throws {Brain3DError} BRAIN3D_UNSUPPORTED if one states another modality, or a sequence that gives no FLAIR image;
 *   BRAIN3D_FORMAT for JSON that cannot be read
 */
export async function requireModality(
  source: string | Pick<Volume, 'notFlair'>,
  { allowModality }: LimitOptions,
  name = typeof source === 'string' ? basename(resolve(source)) : undefined,
): Promise<void> {
  if (allowModality) return;
  const fault = typeof source === 'string' ? await fileFault(source, basename(resolve(source))) : source.notFlair;
  if (fault === null) return;
  const got = typeof source === 'string' ? fault : `expected slices of a ${MODALITY} image, got ${fault}`;
  throw refused(`${got}; ${ADVICE}`, name, 'modality');
}

async function fileFault(path: string, name: string): Promise<string | null> {
  const [, entities = '', suffix] = BIDS_NAME.exec(name) ?? [];
  if (suffix !== undefined && suffix.toUpperCase() !== MODALITY)
    return `expected a ${MODALITY} image, got one whose BIDS name says ${suffix}`;
  const part = /_part-([a-z0-9+]+)/i.exec(entities)?.[1];
  if (part !== undefined && part.toLowerCase() !== 'mag')
    return `expected the magnitude of a ${MODALITY} image, got a part whose BIDS name says ${part}`;
  const sidecar = await readSidecar(path, ADVICE);
  if (sidecar === null) return null;
  const { file, modality, made } = sidecar;
  if (modality !== null && modality !== 'MR')
    return `expected an image of the modality MR, got one of which ${file} says ${modalityName(modality)}`;
  const fault = notFlair(made);
  return fault === null ? null : `expected a ${MODALITY} image, but by ${file} it is ${fault}`;
}

function refused(message: string, file: string | undefined, field: string): Brain3DError {
  const about = file === undefined ? message : `${file}: ${message}`;
  return new Brain3DError('BRAIN3D_UNSUPPORTED', about, file === undefined ? { field } : { file, field });
}

function shown(value: number): string {
  return String(Number(value.toFixed(2)));
}
