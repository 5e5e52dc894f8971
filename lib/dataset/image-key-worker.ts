/** Computes keys of images, one at a time, in a thread of its own. */
import { Brain3DError } from '../base/errors';
import { serveJobs } from '../base/worker-pool';
import { digestFile } from '../files/digest';
import { loadVolume } from '../volume/volume';
import { type CacheSource, cacheKey, readCacheSource } from './cache-entry';
import { imageKey } from './image-key';
import {
  type ImageKeyJob,
  type ImageKeyResult,
  type ImageKeyWorkerData,
  rememberedImageKey,
  rememberImageKey,
} from './image-keys';
import { isScanFault } from './scans';

serveJobs<ImageKeyJob, ImageKeyResult, ImageKeyWorkerData>(async (job, cache) => {
  try {
    return { key: await (cache === null ? computed(job) : lookedUp(job, cache)) };
  } catch (error) {
    if (!isScanFault(error)) throw error;
    return { code: error.code, message: error.message };
  }
});

async function lookedUp(job: ImageKeyJob, cache: NonNullable<ImageKeyWorkerData>): Promise<string | null> {
  const source = { sha256: await digestFile(job.image), orientation: job.orientation ?? null };
  const known = (await ofEntry(source, cache)) ?? (await rememberedImageKey(cache.dir, source));
  if (known !== undefined) return known;
  const key = await computed(job);
  await rememberImageKey(cache.dir, source, key);
  return key;
}

/** Reads the key from the cache's entry of the image; undefined where the entry is missing or damaged. */
async function ofEntry(
  source: CacheSource,
  { dir, recipe, maker }: NonNullable<ImageKeyWorkerData>,
): Promise<string | undefined> {
  try {
    return (await readCacheSource(dir, cacheKey(source, recipe, maker))).shows ?? undefined;
  } catch (error) {
    if (Brain3DError.isInstance(error) && error.code !== 'BRAIN3D_IO') return undefined;
    throw error;
  }
}

async function computed({ image, orientation }: ImageKeyJob): Promise<string | null> {
  const volume = await loadVolume(image, { orientation, overrideOrientation: orientation !== undefined });
  const { shape, orientation: axes } = volume.info;
  return imageKey({ voxels: volume.data(), shape, orientation: axes });
}
