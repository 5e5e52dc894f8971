/** Reads and measures segmentations, in a thread of its own. */

import { serveJobs } from '../base/worker-pool';
import { isScanFault } from '../dataset/scans';
import { loadVolume } from '../volume/volume';
import { type LesionJob, type LesionResult, lesionsOf } from './lesions';

const MM3_PER_ML = 1000;

serveJobs<LesionJob, LesionResult>(async ({ segmentation }) => {
  try {
    const volume = await loadVolume(segmentation);
    const { shape, spacingMm } = volume.info;
    return lesionsOf(volume.data(), shape, (spacingMm[0] * spacingMm[1] * spacingMm[2]) / MM3_PER_ML);
  } catch (error) {
    if (!isScanFault(error)) throw error;
    return { unavailable: `the segmentation cannot be read: ${error.message}` };
  }
});
