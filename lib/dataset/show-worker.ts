/** Draws the pictures of a dataset's scans. */
import { montage } from '../montage';
import { loadVolume, preprocess } from '../volume';
import { serveJobs } from '../worker-pool';
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
