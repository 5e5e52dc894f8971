/** A small FLAIR series, whose texts hold a canary. */
import type { DicomElement, DicomSeries } from './dicom';

export const [SLICES, ROWS, COLUMNS] = [18, 40, 36];
export const CANARY = 'PHI_CANARY';

/** The values differ everywhere, so that no flip, shift or swap of slices goes unseen. */
export const pixels = (k: number): Uint16Array =>
  Uint16Array.from({ length: ROWS * COLUMNS }, (_, index) => ((index * 7919 + k * 104_729) % 1009) + 3 * k);
export const FLAIR: Record<string, DicomElement> = {
  '00180020': ['CS', 'SE\\IR'],
  '00180080': ['DS', '9000'],
  '00180081': ['DS', '90'],
  '00180082': ['DS', '2500'],
  '00181030': ['LO', CANARY],
  '0008103e': ['LO', CANARY],
};
export type SetElements = NonNullable<DicomSeries['set']>;

export function series(more: Partial<DicomSeries> = {}): DicomSeries {
  const { set, ...rest } = more;
  return {
    slices: Array.from({ length: SLICES }, (_, k) => pixels(k)),
    rows: ROWS,
    columns: COLUMNS,
    orientation: [1, 0, 0, 0, 1, 0],
    positions: Array.from({ length: SLICES }, (_, k) => [-36, -50, 6 * k - 40]),
    pixelSpacing: [2.5, 2],
    sliceThickness: 6,
    patientName: CANARY,
    ...rest,
    set: (k) => ({ ...FLAIR, ...set?.(k) }),
  };
}
