/**
 * Warns of a volume that nobody stripped and that may show a face, since its pictures and written volumes would show it
 * too.
 */
import type { NativeVolume } from '../native/surface';
import { mayHoldHead } from './skull-strip';

/**
 * The largest share of a volume's voxels that a brain takes. A larger share is a noisy background, or a head that fills
 * the field of view.
 */
const HEAD_SHARE = 0.6;
/** The largest volume of a brain in ml. No brain is larger, and a head is twice that. */
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
