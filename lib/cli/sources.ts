/** Reads the volumes and the model that commands work on, with errors that name the file. */
import { basename, resolve } from 'node:path';
import { Brain3DError } from '../base/errors';
import { Brain3D } from '../model/model';
import { type LimitOptions, requireGeometry, requireModality } from '../volume/input-limits';
import { type LoadVolumeOptions, loadVolume, type Volume } from '../volume/volume';
import type { ModelFlags } from './options';
import { note } from './output';
import { Progress } from './progress';

/** Returns the base name. A whole path may identify a patient, and is often longer than anyone wants to read. */
export function nameOf(path: string): string {
  return basename(resolve(path));
}

/** Runs `work` and puts `name` into its error. */
export async function about<T>(name: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!Brain3DError.isInstance(error) || error.message.includes(name)) throw error;
    throw new Brain3DError(error.code, `${name}: ${error.message}`, { file: name, field: error.field, cause: error });
  }
}

export function readVolume(path: string, options: LoadVolumeOptions): Promise<Volume> {
  return about(nameOf(path), () => loadVolume(path, options));
}

/** Reads a volume to be reported on. */
export async function readInput(path: string, options: LoadVolumeOptions, limits: LimitOptions): Promise<Volume> {
  await requireModality(path, limits);
  const volume = await readVolume(path, options);
  await requireModality(volume, limits, nameOf(path));
  requireGeometry(volume.info, limits, nameOf(path));
  return volume;
}

/** Loads the model with progress on stderr, calls `use`, and disposes of the model. */
export async function withModel<T>(
  flags: ModelFlags,
  signal: AbortSignal,
  use: (model: Brain3D, progress: Progress) => Promise<T>,
): Promise<T> {
  const { model: directory, device, dtype } = flags;
  const progress = new Progress();
  try {
    const model = await Brain3D.load({ model: directory, device, dtype, signal, onProgress: progress.update });
    progress.stop();
    model.on('warning', (message) => note(`warning: ${message}`));
    try {
      return await use(model, progress);
    } finally {
      await model.dispose();
    }
  } finally {
    progress.stop();
  }
}
