/** The scans that train and validate: from a manifest, with their entries in the cache of preprocessed volumes. */
import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { CACHE_INDEX, type CacheIndex, preprocessDataset, readCacheIndex } from '../dataset/cache';
import { isCacheEntryIntact } from '../dataset/cache-entry';
import { digestFile } from '../dataset/digest';
import { type ManifestEntry, readManifest } from '../dataset/manifest';
import { findLeaks } from '../dataset/split';
import { Brain3DError } from '../errors';
import type { Recipe } from '../recipe';
import { byText } from '../rng';

export interface Scan {
  id: string;
  report: string;
  /** File of the cache. */
  volume: string;
  /** The entry's key, which is a digest of all that its voxels depend on. */
  key: string;
}

export interface Scans {
  train: Scan[];
  val: Scan[];
  /** Scans of either that the cache was told to leave out. */
  skipped: number;
  manifestSha256: string;
}

type OnProgress = ((progress: { stage: string; done: number; total: number }) => void) | undefined;

/**
 * Reads the manifest and makes sure that the cache has what it needs, whole: entries that are missing are made with the
 * recipe that the cache already has, or with the defaults and the model's size.
 * @throws {Brain3DError} as `readManifest` and `preprocessDataset`; BRAIN3D_CONFIG if a split is empty, a subject is in two, or the cache is of
 *   another recipe than the model's; BRAIN3D_FORMAT if an entry is damaged
 */
export async function openScans(
  { data, cache, recipe }: { data: string; cache: string; recipe: Recipe },
  signal: AbortSignal,
  onProgress: OnProgress,
): Promise<Scans> {
  const { entries } = await readManifest(data);
  requireNoLeak(entries, basename(data));
  const manifestSha256 = await digestFile(data, signal);
  const index = await openCache({ data, cache, recipe, manifestSha256 }, signal, onProgress);
  const skipped = new Set(index.skipped.map(({ id }) => id));
  const wanted = entries.filter(({ split }) => split !== 'test').sort((a, b) => byText(a.id, b.id));
  const scansOf = (split: ManifestEntry['split']): Scan[] =>
    wanted.filter((entry) => entry.split === split && !skipped.has(entry.id)).map((entry) => toScan(entry, index));
  const train = scansOf('train');
  const val = scansOf('val');
  for (const [split, scans] of Object.entries({ train, val })) {
    if (scans.length > 0) continue;
    throw new Brain3DError(
      'BRAIN3D_CONFIG',
      `${basename(data)}: expected scans of split '${split}', got none; ${split === 'val' ? 'without them no epoch can be called best' : 'there is nothing to train on'}`,
      { file: basename(data), field: 'split' },
    );
  }
  await requireIntact([...train, ...val], signal, onProgress);
  return { train, val, skipped: wanted.length - train.length - val.length, manifestSha256 };
}

/** A subject on both sides would make validation, or the test that comes later, a matter of memory. */
function requireNoLeak(entries: readonly ManifestEntry[], file: string): void {
  const [leak] = findLeaks(entries);
  if (leak === undefined) return;
  const [subject, splits] = leak;
  throw new Brain3DError(
    'BRAIN3D_CONFIG',
    `${file}: expected each subject in one split, got '${subject}' in ${splits.join(' and ')}; \`brain3d dataset check\` lists all`,
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
  if (index.manifest.sha256 === manifestSha256) return index;
  const { skullStrip, skullStripCommand } = index.recipe;
  const strip = { skullStrip, ...(skullStripCommand === null ? {} : { skullStripCommand }) };
  return preprocessDataset({ manifest: data, out: cache, ...wanted, ...strip, signal, onProgress });
}

function toScan({ id, report }: ManifestEntry, { volumes }: CacheIndex): Scan {
  const volume = volumes.get(id);
  if (volume === undefined)
    throw new Brain3DError(
      'BRAIN3D_FORMAT',
      `${CACHE_INDEX}: expected an entry for '${id}', got none; run \`brain3d preprocess --manifest\` again`,
      { file: CACHE_INDEX, field: id },
    );
  return { id, report, volume, key: basename(volume, '.safetensors') };
}

/** A damaged volume would train as silently as a good one. */
async function requireIntact(scans: Scan[], signal: AbortSignal, onProgress: OnProgress): Promise<void> {
  for (const [done, { id, volume, key }] of scans.entries()) {
    signal.throwIfAborted();
    onProgress?.({ stage: 'verifying', done, total: scans.length });
    const condition = await isCacheEntryIntact(dirname(volume), key);
    if (condition === 'intact') continue;
    throw new Brain3DError(
      'BRAIN3D_FORMAT',
      `${id}: its entry in the cache is ${condition}; run \`brain3d preprocess --manifest\` again, which makes it anew`,
      { file: basename(volume), field: id },
    );
  }
}
