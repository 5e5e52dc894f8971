/**
 * Opens the scans that train and validate, from a manifest, with their entries in the cache of preprocessed volumes.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { Brain3DError } from '../base/errors';
import type { OnProgress } from '../base/progress';
import { byText } from '../base/sort';
import type { Recipe } from '../checkpoint/recipe';
import type { TrainedOn } from '../checkpoint/trained-on';
import { CACHE_INDEX, type CacheIndex, preprocessDataset, readCacheIndex } from '../dataset/cache';
import { currentMaker, inputDigest, isCacheEntryIntact, readCacheSource } from '../dataset/cache-entry';
import { requireNoLeak, requireNoSharedImage } from '../dataset/leaks';
import { type ManifestEntry, readManifest } from '../dataset/manifest';
import type { Split } from '../dataset/split';
import { digestFile } from '../files/digest';

export interface Scan {
  id: string;
  split: Split;
  report: string;
  /** The SHA-256 of the report. */
  reportSha256: string;
  /** The volume's file in the cache. */
  volume: string;
  /** The entry's key, a digest of everything that its voxels depend on, this release and LibTorch included. */
  key: string;
  /**
   * The digest of the volume's input, whichever version computed the volume: image, orientation, recipe,
   * skull-stripping.
   */
  input: string;
  /** The key of what the image shows, however it is saved. */
  shows: string;
}

export interface Scans {
  train: Scan[];
  val: Scan[];
  /** The ids of scans of either split that the cache was told to leave out. */
  skipped: string[];
  manifestSha256: string;
}

/**
 * Reads the manifest and makes sure that the cache has every needed entry, undamaged. Missing entries are made with the
 * cache's recipe, or with the defaults and the model's size.
 * @param trainedOn what the model has seen already
 * @throws {Brain3DError} as `readManifest` and `preprocessDataset`; BRAIN3D_CONFIG if a split is empty, a subject or an
 *   image is in two, the model has been trained on what would validate or test it, or the cache is of another recipe
 *   than the model's; BRAIN3D_FORMAT if an entry is damaged, or its image is another one by now
 */
export async function openScans(
  { data, cache, recipe, trainedOn }: { data: string; cache: string; recipe: Recipe; trainedOn: TrainedOn },
  signal: AbortSignal,
  onProgress: OnProgress,
): Promise<Scans> {
  const { entries } = await readManifest(data);
  const file = basename(data);
  requireNoLeak(entries, file);
  const manifestSha256 = await digestFile(data, signal);
  const index = await openCache({ data, cache, recipe, manifestSha256 }, signal, onProgress);
  requireNoSharedImage(entries, index.imageKeys, file);
  requireUnseen(entries, index.imageKeys, trainedOn, file);
  const isSkipped = new Set(index.skipped.map(({ id }) => id));
  const wanted = entries.filter(({ split }) => split !== 'test').sort((a, b) => byText(a.id, b.id));
  const usable = wanted.filter(({ id }) => !isSkipped.has(id));
  for (const split of ['train', 'val']) {
    if (usable.some((entry) => entry.split === split)) continue;
    throw new Brain3DError(
      'BRAIN3D_CONFIG',
      `${file}: expected scans of split '${split}', got none; ${split === 'val' ? 'without them no epoch can be called best' : 'there is nothing to train on'}`,
      { file, field: 'split' },
    );
  }
  const scans: Scan[] = [];
  for (const entry of usable) {
    onProgress?.({ stage: 'verifying', done: scans.length, total: usable.length });
    scans.push(await toScan(entry, index, signal));
  }
  const skipped = wanted.filter(({ id }) => isSkipped.has(id)).map(({ id }) => id);
  const ofSplit = (wantedSplit: Split) => scans.filter(({ split }) => split === wantedSplit);
  return { train: ofSplit('train'), val: ofSplit('val'), skipped, manifestSha256 };
}

/**
 * Refuses scans that the model was trained on earlier, perhaps by another manifest: they can neither choose its best
 * epoch nor test it.
 */
function requireUnseen(
  entries: readonly ManifestEntry[],
  keys: CacheIndex['imageKeys'],
  { train }: TrainedOn,
  file: string,
): void {
  const seen = entries.filter(({ id, split }) => split !== 'train' && train.has(keys.get(id) ?? ''));
  const [first] = seen;
  if (first === undefined) return;
  const more = seen.length === 1 ? '' : `, and so are ${seen.length - 1} more`;
  throw new Brain3DError(
    'BRAIN3D_CONFIG',
    `${file}: ${first.id} is in split '${first.split}', but the model has been trained on it${more}; move what it has seen to ` +
      "split 'train', or start from another model",
    { file, field: 'split' },
  );
}

async function openCache(
  { data, cache, recipe, manifestSha256 }: { data: string; cache: string; recipe: Recipe; manifestSha256: string },
  signal: AbortSignal,
  onProgress: OnProgress,
): Promise<CacheIndex> {
  const { volumeSize: size, lowerPercentile, upperPercentile } = recipe;
  const wanted = { size, lowerPercentile, upperPercentile };
  if (!existsSync(join(cache, CACHE_INDEX)))
    return preprocessDataset({ manifest: data, out: cache, ...wanted, signal, onProgress });
  const index = await readCacheIndex(cache);
  for (const [field, value] of Object.entries(wanted)) {
    const held = index.recipe[field as keyof typeof wanted];
    if (String(held) === String(value)) continue;
    throw new Brain3DError(
      'BRAIN3D_CONFIG',
      `the cache '${basename(cache)}' was made with ${field} ${held}, the model has ${value}; give another --cache`,
      { file: CACHE_INDEX, field },
    );
  }
  const { skullStrip, skullStripCommand } = index.recipe;
  const isCurrent = String(Object.values(await currentMaker(index.recipe))) === String(Object.values(index.maker));
  if (index.manifest.sha256 === manifestSha256 && isCurrent) return index;
  const strip = { skullStrip, ...(skullStripCommand === null ? {} : { skullStripCommand }) };
  return preprocessDataset({ manifest: data, out: cache, ...wanted, ...strip, signal, onProgress });
}

/**
 * Checks the entry of a scan. A damaged volume would train as silently as a good one, and so would the volume of an
 * image that was replaced since. The image itself need not exist: a cache may have been brought from elsewhere.
 */
async function toScan(
  { id, split, report, image }: ManifestEntry,
  index: CacheIndex,
  signal: AbortSignal,
): Promise<Scan> {
  signal.throwIfAborted();
  const volume = index.volumes.get(id);
  if (volume === undefined)
    throw new Brain3DError(
      'BRAIN3D_FORMAT',
      `${CACHE_INDEX}: expected an entry for '${id}', got none; run \`brain3d preprocess --manifest\` again`,
      { file: CACHE_INDEX, field: id },
    );
  const key = basename(volume, '.safetensors');
  const unusable = (fault: string) =>
    new Brain3DError(
      'BRAIN3D_FORMAT',
      `${id}: its entry in the cache is ${fault}; run \`brain3d preprocess --manifest\` again, which makes it anew`,
      { file: basename(volume), field: id },
    );
  const condition = await isCacheEntryIntact(dirname(volume), key);
  if (condition !== 'intact') throw unusable(condition);
  const { shows, ...source } = await readCacheSource(dirname(volume), key);
  if (existsSync(image) && (await digestFile(image, signal)) !== source.sha256)
    throw unusable('of another image than the one that is there now');
  // Preprocessing refuses an image without contrast.
  if (shows === null) throw unusable('of an image without contrast');
  const reportSha256 = createHash('sha256').update(report).digest('hex');
  return { id, split, report, reportSha256, volume, key, input: inputDigest(source, index.recipe, index.maker), shows };
}
