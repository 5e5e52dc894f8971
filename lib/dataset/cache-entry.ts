/**
 * One preprocessed volume in a cache: `KEY.safetensors` with the voxels and `KEY.json`, its sidecar, written last. The
 * key is a digest of everything the voxels depend on, so an entry is never out of date, only unused.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import * as v from 'valibot';
import { Brain3DError, withCallerStack } from '../base/errors';
import { is, parseOptions } from '../base/validate';
import { packageVersion } from '../base/version';
import { digestFile } from '../files/digest';
import { fromStored, parseStored, toStored, writeStored } from '../files/stored';
import { loadAddon } from '../native/binding';
import { callNative } from '../native/call';
import { currentVersions, type Versions } from '../native/versions';
import type { SkullStrip, StripOptions } from '../volume/skull-strip';
import { digestStripTool } from '../volume/strip-command';
import { Volume, type VolumeInfo } from '../volume/volume';
import { imageKey } from './image-key';

/** The version of the files' format. It is part of every key, so that a new format takes no old entry. */
const CACHE_FORMAT = 2;

/** Everything besides the image that decides what a preprocessed volume is. A new step belongs here. */
export interface PreprocessingSettings {
  /** (D, H, W) */
  size: [number, number, number];
  lowerPercentile: number;
  upperPercentile: number;
  skullStrip: NonNullable<StripOptions['skullStrip']>;
  /** Null for every method except `command`. */
  skullStripCommand: string | null;
}

/** The versions and the tool that compute the volumes. */
export interface CacheMaker extends Versions {
  /** The SHA-256 of the files that a skull-strip command names; null for other methods. */
  stripTool: string | null;
}

/** @throws {Brain3DError} BRAIN3D_ADDON, BRAIN3D_LIBTORCH, BRAIN3D_IO */
export async function currentMaker({
  skullStripCommand,
}: Pick<PreprocessingSettings, 'skullStripCommand'>): Promise<CacheMaker> {
  const stripTool = skullStripCommand === null ? null : await digestStripTool(skullStripCommand);
  return { ...currentVersions(), stripTool };
}

/** An image and how to read it. */
export interface CacheSource {
  /** The SHA-256 of the file's bytes. */
  sha256: string;
  /** Axis codes that override the header; null if the header is believed. */
  orientation: string | null;
}

const numbers = (length: number) => v.pipe(v.array(v.number()), v.length(length));
const triple = v.strictTuple([v.number(), v.number(), v.number()]);
const InfoSchema = v.object({
  shape: triple,
  affine: numbers(16),
  spacing_mm: triple,
  orientation: v.string(),
  oblique_degrees: v.number(),
  affine_source: v.string(),
  datatype: v.string(),
  warnings: v.array(v.string()),
});
export const StoredRecipeSchema = v.strictObject({
  size: triple,
  lower_percentile: v.number(),
  upper_percentile: v.number(),
  skull_strip: v.picklist(['auto', 'none', 'bet', 'command']),
  skull_strip_command: v.nullable(v.string()),
});
const StoredSkullStripSchema = v.object({
  method: v.picklist(['none', 'already-stripped', 'bet', 'command']),
  brain_volume_ml: v.nullable(v.number()),
  summary: v.string(),
  warnings: v.array(v.string()),
});
const SidecarSchema = v.object({
  format: v.literal('brain3d-cache'),
  format_version: v.literal(CACHE_FORMAT),
  brain3d: v.string(),
  source: v.object({ sha256: v.string(), orientation: v.nullable(v.string()) }),
  recipe: StoredRecipeSchema,
  /** The key of what the image shows, however it is saved (image-key.ts). */
  image_key: v.nullable(v.string()),
  /** The SHA-256 of KEY.safetensors. */
  volume_sha256: v.string(),
  skull_strip: StoredSkullStripSchema,
  /** The image as read. */
  original: InfoSchema,
  /** The volume as preprocessed. */
  volume: InfoSchema,
});
type CacheSidecar = v.InferOutput<typeof SidecarSchema>;

function toStoredSkullStrip(volume: Volume): v.InferOutput<typeof StoredSkullStripSchema> {
  const { preprocessed } = volume;
  if (preprocessed === null) throw new RangeError('expected a preprocessed volume for the cache, got one as read');
  return toStored(StoredSkullStripSchema, preprocessed.skullStrip);
}

/**
 * Returns the digest of everything that determines a preprocessed volume: the image, how it is read, the recipe, the
 * version of preprocessing. The release and LibTorch change only roundings, so they are not part of it.
 */
export function inputDigest(
  { sha256, orientation }: CacheSource,
  recipe: PreprocessingSettings,
  { preprocessing, stripTool }: Pick<CacheMaker, 'preprocessing' | 'stripTool'>,
): string {
  return digestJson([sha256, orientation, toStored(StoredRecipeSchema, recipe), preprocessing, stripTool]);
}

/** Returns the name of an entry. It depends on the release and LibTorch too, so that no two of them share a volume. */
export function cacheKey(
  source: CacheSource,
  recipe: PreprocessingSettings,
  maker: CacheMaker = { ...currentVersions(), stripTool: null },
): string {
  return digestJson([CACHE_FORMAT, inputDigest(source, recipe, maker), maker.brain3d, maker.torch]);
}

function digestJson(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex');
}

export function volumeFile(dir: string, key: string): string {
  return join(dir, `${key}.safetensors`);
}

export function sidecarFile(dir: string, key: string): string {
  return join(dir, `${key}.json`);
}

/**
 * Writes the volume and the sidecar, each atomically. The sidecar comes last, so an entry with a sidecar is whole.
 * @returns key of what the image shows
 */
export async function writeCacheEntry(
  dir: string,
  key: string,
  volume: Volume,
  about: { source: CacheSource; recipe: PreprocessingSettings; original: Volume },
): Promise<string | null> {
  const addon = loadAddon();
  const path = volumeFile(dir, key);
  const { shape, orientation } = about.original.info;
  const shows = imageKey({ voxels: about.original.data(), shape, orientation });
  await callNative(addon, undefined, (token) => addon.writeCachedVolume(volume.native, path, token));
  const sidecar: CacheSidecar = {
    format: 'brain3d-cache',
    format_version: CACHE_FORMAT,
    brain3d: packageVersion(),
    source: about.source,
    recipe: toStored(StoredRecipeSchema, about.recipe),
    image_key: shows,
    volume_sha256: await digestFile(path),
    skull_strip: toStoredSkullStrip(volume),
    original: toStored(InfoSchema, about.original.info),
    volume: toStored(InfoSchema, volume.info),
  };
  await writeStored(sidecarFile(dir, key), sidecar);
  return shows;
}

/** Reads the image that an entry was made from, and the key of what it shows. @throws as `openCachedVolume` */
export async function readCacheSource(dir: string, key: string): Promise<CacheSource & { shows: string | null }> {
  const { source, image_key: shows } = await readSidecar(sidecarFile(dir, key));
  return { ...source, shows };
}

/** Whether the entry exists and its voxels are the bytes that were written. */
export async function isCacheEntryIntact(dir: string, key: string): Promise<'intact' | 'missing' | 'damaged'> {
  try {
    const { volume_sha256 } = await readSidecar(sidecarFile(dir, key));
    return (await digestFile(volumeFile(dir, key))) === volume_sha256 ? 'intact' : 'damaged';
  } catch (error) {
    if (!Brain3DError.isInstance(error) || error.code === 'BRAIN3D_IO') throw error;
    // A sidecar without voxels, or a file that is no sidecar, counts as damaged and is made anew.
    return error.code === 'BRAIN3D_NOT_FOUND' && error.file === `${key}.json` ? 'missing' : 'damaged';
  }
}

const OpenSchema = v.object({
  /** Compares the file with its digest too. @default false */
  verify: v.optional(is.flag()),
  signal: v.optional(is.signal()),
});
export type OpenCachedVolumeOptions = v.InferInput<typeof OpenSchema>;

/**
 * Opens a preprocessed volume from a cache: maps `KEY.safetensors` and reads its sidecar.
 * @param path of `KEY.safetensors`
 * @throws {Brain3DError} BRAIN3D_NOT_FOUND, BRAIN3D_IO, BRAIN3D_FORMAT if the entry is damaged
 */
export async function openCachedVolume(path: string, options: OpenCachedVolumeOptions = {}): Promise<Volume> {
  const { verify, signal } = parseOptions('openCachedVolume', OpenSchema, options);
  return withCallerStack(openCachedVolume, async () => {
    const file = basename(path);
    const sidecar = await readSidecar(path.replace(/\.safetensors$/, '.json'));
    if (verify && (await digestFile(path, signal)) !== sidecar.volume_sha256)
      throw damaged(file, 'its bytes are not those that were written');
    const addon = loadAddon();
    const { affine, affineSource, datatype, warnings } = fromStored<VolumeInfo>(sidecar.volume);
    const geometry = { affine, affineSource, datatype, warnings };
    const native = await callNative(addon, signal, (token) => addon.openCachedVolume(path, geometry, token));
    const volume = new Volume(addon, native, {
      size: sidecar.recipe.size,
      skullStrip: fromStored<SkullStrip>(sidecar.skull_strip),
    });
    if (volume.info.shape.join() === sidecar.recipe.size.join()) return volume;
    throw damaged(file, `it is ${volume.info.shape.join(' x ')}, its sidecar says ${sidecar.recipe.size.join(' x ')}`);
  });
}

async function readSidecar(path: string): Promise<CacheSidecar> {
  const file = basename(path);
  let json: string;
  try {
    json = await readFile(path, 'utf8');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const kind = code === 'ENOENT' ? 'BRAIN3D_NOT_FOUND' : 'BRAIN3D_IO';
    throw new Brain3DError(kind, `expected the sidecar ${file} of a cached volume (${code})`, { file, cause });
  }
  const result = parseStored(SidecarSchema, json);
  if (result.isIntact) return result.value;
  throw damaged(file, `its field '${result.field ?? 'all'}' is not as it was written`);
}

function damaged(file: string, reason: string): Brain3DError {
  return new Brain3DError(
    'BRAIN3D_FORMAT',
    `${file} is not an intact cache entry: ${reason}; make it again with \`brain3d preprocess --manifest\``,
    { file },
  );
}
