/** Draws the pictures of a dataset's scans. */

import { serveJobs } from '../base/worker-pool';
import { montage } from '../volume/montage';
import { loadVolume, preprocess } from '../volume/volume';
import { isScanFault } from './scans';
import type { ShowJob, ShowResult } from './show';

serveJobs<ShowJob, ShowResult>(async ({ image, orientation }) => {
  try {
    const volume = await loadVolume(image, { orientation, overrideOrientation: orientation !== undefined });
    return { png: await montage(await preprocess(volume)), warnings: volume.info.warnings };
  } catch (error) {
    if (!isScanFault(error)) throw error;
    return { code: error.code, message: error.message };
  }
});
