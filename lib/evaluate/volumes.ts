/** Gets the cases' volumes as a model sees them from the cache, and makes those that are missing. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { CACHE_INDEX, fillCache, readCacheIndex } from '../dataset/cache';
import { type PreprocessingSettings, volumeFile } from '../dataset/cache-entry';
import type { ManifestEntry } from '../dataset/manifest';
import { makeFolders } from '../files/folders';
import type { GenerationFailure } from './generations';
import type { EvaluateOptions } from './options';
import type { CaseVolume } from './text-model';

export interface Volumes {
  /** The cases in their order. */
  usable: CaseVolume[];
  /** The cases that cannot be preprocessed. */
  unusable: Map<string, GenerationFailure>;
}

export type StripRecipe = Pick<PreprocessingSettings, 'skullStrip' | 'skullStripCommand'>;

/** Decides how skulls are stripped: by the options, or as in the cache's last run, or `auto`. */
export async function stripRecipe(cache: string, options: EvaluateOptions): Promise<StripRecipe> {
  const { skullStrip, skullStripCommand = null } = options;
  if (skullStrip !== undefined) return { skullStrip, skullStripCommand };
  if (!existsSync(join(cache, CACHE_INDEX))) return { skullStrip: 'auto', skullStripCommand: null };
  const { recipe } = await readCacheIndex(cache);
  return { skullStrip: recipe.skullStrip, skullStripCommand: recipe.skullStripCommand };
}

/** Prepares the volumes. A scan that cannot be preprocessed is a failed case and does not end the run. */
export async function prepareVolumes(
  entries: readonly ManifestEntry[],
  cache: string,
  recipe: PreprocessingSettings,
  { workers, signal, onProgress }: EvaluateOptions,
): Promise<Volumes> {
  await makeFolders(cache);
  const unusable: Volumes['unusable'] = new Map();
  const { keys } = await fillCache(entries, recipe, {
    out: cache,
    workers,
    onError: 'skip',
    signal,
    onProgress,
    onProblem: ({ id, code, message }) => void unusable.set(id, { code, message }),
  });
  const usable = [...keys].map(([id, key]) => ({ id, volume: volumeFile(cache, key) }));
  return { usable, unusable };
}
