/** Preprocesses the scans of a dataset, one at a time, in a thread of its own. */

import { serveJobs } from '../base/worker-pool';
import { digestFile } from '../files/digest';
import { loadVolume, preprocess } from '../volume/volume';
import type { CacheJob, CacheResult, CacheWorkerData } from './cache';
import { type CacheSource, cacheKey, isCacheEntryIntact, readCacheSource, writeCacheEntry } from './cache-entry';
import { refusePointer } from './pointer';
import { isScanFault } from './scans';

serveJobs<CacheJob, CacheResult, CacheWorkerData>(async (job, data) => {
  const source = await ofScan(() => identify(job));
  if ('code' in source) return source;
  const key = cacheKey(source, data.recipe, data.maker);
  const state = await isCacheEntryIntact(data.dir, key);
  if (state === 'intact') return { key, outcome: 'kept', shows: (await readCacheSource(data.dir, key)).shows };
  const made = await ofScan(() => read(job, data));
  if ('code' in made) return made;
  // An error from here on comes from the cache, such as a full disk, and not from a scan.
  const { volume, original } = made;
  const shows = await writeCacheEntry(data.dir, key, volume, { source, recipe: data.recipe, original });
  return { key, outcome: state === 'missing' ? 'made' : 'repaired', shows };
});

async function identify({ image, orientation }: CacheJob): Promise<CacheSource> {
  return { sha256: await digestFile(image), orientation: orientation ?? null };
}

async function read({ image, orientation }: CacheJob, { recipe }: CacheWorkerData) {
  await refusePointer(image, 'an image');
  const original = await loadVolume(image, { orientation, overrideOrientation: orientation !== undefined });
  const { skullStripCommand, ...rest } = recipe;
  const options = skullStripCommand === null ? rest : { ...rest, skullStripCommand };
  return { original, volume: await preprocess(original, options) };
}

/** Turns an error of the scan into an answer. The caller decides whether it ends the run. */
async function ofScan<T>(work: () => Promise<T>): Promise<T | Exclude<CacheResult, { key: string }>> {
  try {
    return await work();
  } catch (error) {
    if (!isScanFault(error)) throw error;
    return { code: error.code, message: error.message };
  }
}
