/** Whether a volume that nobody stripped may show a face, which a picture or a written volume of it would show as well. */
import type { NativeVolume } from '../native/surface';
import { mayHoldHead } from './skull-strip';

/** Of a volume: more is a background with noise, or a head that fills the field of view. */
const HEAD_SHARE = 0.6;
/** Of what is not background: no brain is as large, and a head is twice that. */
const LARGEST_BRAIN_ML = 2500;

/** @param preprocessed its background is 0; @returns a warning, or null for what may be a brain alone */
export function faceWarning(preprocessed: NativeVolume): string | null {
  const info = preprocessed.info();
  if (!mayHoldHead(info)) return null;
  const count = preprocessed.countNonZero();
  const share = count / info.shape.reduce((product, side) => product * side, 1);
  const ml = (count * info.spacingMm.reduce((product, mm) => product * mm, 1)) / 1000;
  if (share <= HEAD_SHARE && ml <= LARGEST_BRAIN_ML) return null;
  return (
    `the volume was not stripped and looks like a whole head (${Math.round(100 * share)} % of its voxels are not 0, ` +
    `${(ml / 1000).toFixed(1)} l): its pictures, and volumes written of it, may show a face that can be recognised`
  );
}
