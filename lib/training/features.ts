/**
 * The pooled tokens of volumes, which phases with a frozen encoder compute once and keep on disk: `KEY.safetensors`
 * with `pooled_tokens` (K, E) and `KEY.json`, its sidecar, written last. The key is a digest of everything they depend
 * on.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import * as v from 'valibot';
import { Brain3DError } from '../base/errors';
import { byText } from '../base/sort';
import { combineDigests, digestFiles } from '../checkpoint/backbone';
import { type Checkpoint, WEIGHTS_FILE } from '../checkpoint/checkpoint';
import type { Recipe } from '../checkpoint/recipe';
import { digestFile } from '../files/digest';
import { makeFolders } from '../files/folders';
import { parseStored, writeStored } from '../files/stored';
import { callNative } from '../native/call';
import type { NativeAddon, NativeTensor, NativeTrainer } from '../native/surface';
import { currentVersions } from '../native/versions';
import { named } from './named';
import type { Scan } from './scans';

/** The version of the encoder's mathematics and of the files' format. It is part of every key. */
const FEATURE_FORMAT = 2;
const TENSOR = 'pooled_tokens';

const SidecarSchema = v.object({
  format: v.literal('brain3d-features'),
  format_version: v.literal(FEATURE_FORMAT),
  /** The SHA-256 of KEY.safetensors. */
  sha256: v.string(),
});

export interface FeatureSource {
  addon: NativeAddon;
  native: NativeTrainer;
  checkpoint: Checkpoint;
  /** The folder of the features. */
  dir: string;
}

/**
 * Returns the pooled tokens by scan, in the order given. Intact ones are read from disk; the others are computed and
 * written.
 */
export async function openFeatures(
  source: FeatureSource,
  scans: readonly Scan[],
  signal: AbortSignal,
  onProgress: (done: number, total: number) => void,
): Promise<Float32Array[]> {
  const { addon, native, dir } = source;
  await makeFolders(dir);
  const encoder = await encoderDigest(source, signal);
  const { numVisualTokens, visionWidth } = native.info();
  const shape = [numVisualTokens, visionWidth];
  const features: Float32Array[] = [];
  for (const [done, scan] of scans.entries()) {
    onProgress(done, scans.length);
    const key = createHash('sha256')
      .update(JSON.stringify([encoder, scan.key]))
      .digest('hex');
    const file = join(dir, `${key}.safetensors`);
    let pooled = await readIfIntact(addon, file, shape, signal);
    if (pooled === null) {
      pooled = await callNative(addon, signal, (token) => native.encodePooled(scan.volume, token)).catch((error) => {
        throw named(error, scan.id);
      });
      await write(addon, file, { name: TENSOR, shape, data: pooled }, signal);
    }
    features.push(pooled);
  }
  return features;
}

/** Returns the digest of everything that defines the encoder: backbone, its trained tensors, geometry, arithmetic. */
async function encoderDigest({ addon, native, checkpoint }: FeatureSource, signal: AbortSignal): Promise<string> {
  const { recipe, vision, dir } = checkpoint;
  const tensors = await callNative(addon, signal, (token) => addon.readTensors(join(dir, WEIGHTS_FILE), token));
  const hash = createHash('sha256');
  for (const { name, shape, data } of tensors.filter((tensor) => tensor.name.startsWith('vision.')).sort(byName)) {
    hash.update(`${name} ${shape.join(' ')}\n`);
    hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  const { device, dtype } = native.info();
  const arithmetic = [device.replace(/:\d+$/, ''), dtype];
  const { brain3d, torch } = currentVersions();
  const backbone = combineDigests(await digestFiles(vision.dir, signal));
  const facts = [FEATURE_FORMAT, brain3d, torch, backbone, hash.digest('hex'), encoderRecipe(recipe), arithmetic];
  return createHash('sha256').update(JSON.stringify(facts)).digest('hex');
}

/**
 * Returns the fields of a recipe that may decide the pooled tokens of a preprocessed volume: all but its name, so that
 * a field added to recipes is never left out. Some of these fields do not matter; changing them costs one more
 * computation.
 */
export function encoderRecipe({ name: _, ...fields }: Recipe): unknown {
  return Object.entries(fields).sort(([a], [b]) => byText(a, b));
}

/** Reads tokens; null where they are missing or damaged. They can then be computed again, with the same result. */
async function readIfIntact(
  addon: NativeAddon,
  file: string,
  shape: number[],
  signal: AbortSignal,
): Promise<Float32Array | null> {
  const stored = await readFile(sidecarOf(file), 'utf8').catch(absent);
  if (stored === null) return null;
  const sidecar = parseStored(SidecarSchema, stored);
  if (!sidecar.isIntact) return null;
  const sha256 = await digestFile(file, signal).catch((error) => {
    if (Brain3DError.isInstance(error) && error.code === 'BRAIN3D_NOT_FOUND') return null;
    throw error;
  });
  if (sha256 !== sidecar.value.sha256) return null;
  const tensors = await callNative(addon, signal, (token) => addon.readTensors(file, token));
  const [tensor] = tensors;
  if (tensor?.name === TENSOR && tensors.length === 1 && tensor.shape.join() === shape.join()) return tensor.data;
  // The digest is right, so the file is not damaged: it is someone else's file under our name.
  throw new Brain3DError(
    'BRAIN3D_FORMAT',
    `${basename(file)}: expected ${TENSOR} (${shape.join(', ')}) in the cache of features, got something else; remove it`,
    { file: basename(file) },
  );
}

async function write(addon: NativeAddon, file: string, tensor: NativeTensor, signal: AbortSignal): Promise<void> {
  await callNative(addon, signal, (token) => addon.writeTensors(file, [tensor], { format: 'brain3d-features' }, token));
  const sidecar: v.InferOutput<typeof SidecarSchema> = {
    format: 'brain3d-features',
    format_version: FEATURE_FORMAT,
    sha256: await digestFile(file, signal),
  };
  await writeStored(sidecarOf(file), sidecar);
}

function sidecarOf(file: string): string {
  return file.replace(/\.safetensors$/, '.json');
}

function absent(cause: NodeJS.ErrnoException): null {
  if (cause.code === 'ENOENT') return null;
  throw cause;
}

function byName(a: NativeTensor, b: NativeTensor): number {
  return a.name < b.name ? -1 : 1;
}
