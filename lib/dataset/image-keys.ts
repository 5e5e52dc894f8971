/** Keys of many images, computed in parallel; a cache remembers them, so that an image is read once. */
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
import { type CacheMaker, type CacheRecipe, type CacheSource, currentMaker } from './cache-entry';
import { IMAGE_KEY_VERSION } from './image-key';
import type { ManifestEntry } from './manifest';

/** Folder in a cache: a small file for each image without an entry, named by a digest of its bytes and orientation. */
const IMAGES_FOLDER = 'images';

/** @internal What a worker is asked. */
export type ImageKeyJob = Pick<ManifestEntry, 'id' | 'image' | 'orientation'>;
/** A cache to look into: the entries of a recipe, and what was remembered in it. */
export interface KnownImages {
  dir: string;
  recipe: CacheRecipe;
}
/** @internal What all its jobs share; null if nothing is remembered. */
export type ImageKeyWorkerData = (KnownImages & { maker: CacheMaker }) | null;
/** The key of an image, null for one that preprocessing refuses; or why it cannot be read. */
export type ImageKeyResult = { key: string | null } | { code: ErrorCode; message: string };

export interface ImageKeysOptions {
  cache?: KnownImages | undefined;
  workers?: number | undefined;
  signal?: AbortSignal | undefined;
  onDone?: ((done: number, total: number) => void) | undefined;
}

/** By id. A scan that cannot be read is an answer, not a failure. */
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

/** File name of what a cache remembers of an image. */
function imageKeyFile({ sha256, orientation }: CacheSource): string {
  const content = JSON.stringify([IMAGE_KEY_VERSION, sha256, orientation]);
  return `${createHash('sha256').update(content).digest('hex')}.json`;
}

/** Undefined where the cache does not know the image, or what it holds is damaged: then it is computed again. */
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

/** The folder must be there. */
export async function rememberImageKey(cache: string, source: CacheSource, key: string | null): Promise<void> {
  const stored: v.InferOutput<typeof StoredSchema> = {
    format: 'brain3d-image-key',
    format_version: IMAGE_KEY_VERSION,
    image_key: key,
  };
  await writeFileAtomic(join(cache, IMAGES_FOLDER, imageKeyFile(source)), `${JSON.stringify(stored)}\n`);
}
