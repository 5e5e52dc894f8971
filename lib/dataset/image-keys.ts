/** Computes the keys of many images in parallel. A cache remembers them, so that an image is read once. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import * as v from 'valibot';
import type { ErrorCode } from '../base/errors';
import { runInWorkers } from '../base/worker-pool';
import { writeFileAtomic } from '../files/atomic-file';
import { makeFolders } from '../files/folders';
import { parseStored } from '../files/stored';
import { type CacheMaker, type CacheSource, currentMaker, type PreprocessingSettings } from './cache-entry';
import { IMAGE_KEY_VERSION } from './image-key';
import type { ManifestEntry } from './manifest';

/**
 * The folder in a cache with a small file for each image that has no entry. The file's name is a digest of the image's
 * bytes and orientation.
 */
const IMAGES_FOLDER = 'images';

/** @internal The scan whose key a worker computes. */
export type ImageKeyJob = Pick<ManifestEntry, 'id' | 'image' | 'orientation'>;
/** A cache to look into: the entries of a recipe, and the remembered keys. */
export interface KnownImages {
  dir: string;
  recipe: PreprocessingSettings;
}
/** @internal The data that all jobs share; null if nothing is remembered. */
export type ImageKeyWorkerData = (KnownImages & { maker: CacheMaker }) | null;
/** The key of an image (null for one that preprocessing refuses), or the reason why it cannot be read. */
export type ImageKeyResult = { key: string | null } | { code: ErrorCode; message: string };

export interface ImageKeysOptions {
  cache?: KnownImages | undefined;
  workers?: number | undefined;
  signal?: AbortSignal | undefined;
  onDone?: ((done: number, total: number) => void) | undefined;
}

/** Returns the keys by id. A scan that cannot be read gives an answer and no failure. */
export async function readImageKeys(
  entries: readonly ImageKeyJob[],
  { cache, workers, signal, onDone }: ImageKeysOptions,
): Promise<Map<string, ImageKeyResult>> {
  const data = cache === undefined ? null : { ...cache, maker: await currentMaker(cache.recipe) };
  if (data !== null) await makeFolders(join(data.dir, IMAGES_FOLDER));
  const results = new Map<string, ImageKeyResult>();
  onDone?.(0, entries.length);
  await runInWorkers<ImageKeyJob, ImageKeyResult>({
    workerFile: join(__dirname, 'image-key-worker.js'),
    workerData: data satisfies ImageKeyWorkerData,
    jobs: entries.map(({ id, image, orientation }) => ({ id, image, orientation })),
    workers: workers ?? availableParallelism(),
    signal,
    onResult: (result, { id }) => {
      results.set(id, result);
      onDone?.(results.size, entries.length);
    },
  });
  return results;
}

const StoredSchema = v.object({
  format: v.literal('brain3d-image-key'),
  format_version: v.literal(IMAGE_KEY_VERSION),
  image_key: v.nullable(v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/))),
});

/** The name of the file in which a cache remembers an image. */
function imageKeyFile({ sha256, orientation }: CacheSource): string {
  const content = JSON.stringify([IMAGE_KEY_VERSION, sha256, orientation]);
  return `${createHash('sha256').update(content).digest('hex')}.json`;
}

/**
 * Reads a remembered key. It is undefined, and must be computed again, if the cache does not know the image or its file
 * is damaged.
 */
export async function rememberedImageKey(cache: string, source: CacheSource): Promise<string | null | undefined> {
  const json = await readFile(join(cache, IMAGES_FOLDER, imageKeyFile(source)), 'utf8').catch(
    (cause: NodeJS.ErrnoException) => {
      if (cause.code === 'ENOENT') return null;
      throw cause;
    },
  );
  if (json === null) return undefined;
  const result = parseStored(StoredSchema, json);
  return result.isIntact ? result.value.image_key : undefined;
}

/** Remembers a key. The folder must exist. */
export async function rememberImageKey(cache: string, source: CacheSource, key: string | null): Promise<void> {
  const stored: v.InferOutput<typeof StoredSchema> = {
    format: 'brain3d-image-key',
    format_version: IMAGE_KEY_VERSION,
    image_key: key,
  };
  await writeFileAtomic(join(cache, IMAGES_FOLDER, imageKeyFile(source)), `${JSON.stringify(stored)}\n`);
}
