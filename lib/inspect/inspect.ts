/** Tells what a path holds: a volume, a checkpoint or a backbone. */
import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { Brain3DError } from '../base/errors';
import { CHECKPOINT_FILE, type Checkpoint, readCheckpoint, verifyBackbone } from '../checkpoint/checkpoint';
import { loadAddon } from '../native/binding';
import { callNative } from '../native/call';
import type { NativeBackboneInfo } from '../native/surface';
import { inspectVolume, type LoadVolumeOptions, loadVolume, type VolumeInfo } from '../volume/volume';

export type Inspection =
  | { kind: 'volume'; name: string; source: 'nifti' | 'dicom'; volume: VolumeInfo }
  | {
      kind: 'checkpoint';
      name: string;
      checkpoint: Checkpoint;
      /** The problems that would keep it from being loaded. */
      problems: string[];
    }
  | { kind: 'backbone'; name: string; backbone: NativeBackboneInfo };

const EXPECTED = 'a volume (.nii, .nii.gz or a folder of DICOM slices), a checkpoint or a backbone directory';

/**
 * Looks into a volume (without its voxels, unless it is DICOM), a checkpoint directory (and whether its backbones are
 * the right ones) or a backbone directory (and whether its weights fit its configuration).
 * @throws {Brain3DError} BRAIN3D_NOT_FOUND, BRAIN3D_UNSUPPORTED for anything else, and what reading each of them throws
 */
export async function inspect(path: string, options: LoadVolumeOptions = {}): Promise<Inspection> {
  const name = basename(resolve(path));
  const found = await stat(path).catch((cause: NodeJS.ErrnoException) => {
    throw new Brain3DError('BRAIN3D_NOT_FOUND', `expected ${EXPECTED}, but '${name}' cannot be found (${cause.code})`, {
      file: name,
      cause,
    });
  });
  if (found.isFile()) {
    try {
      return { kind: 'volume', name, source: 'nifti', volume: await inspectVolume(path, options) };
    } catch (error) {
      if (/\.nii(\.gz)?$/i.test(name) || !Brain3DError.isInstance(error) || error.code !== 'BRAIN3D_FORMAT')
        throw error;
      throw unknownKind(name, `it is a file that does not end in .nii or .nii.gz; ${error.message}`, error);
    }
  }
  if (!found.isDirectory()) throw unknownKind(name, 'it is neither a file nor a directory');
  if (existsSync(join(path, CHECKPOINT_FILE))) return inspectCheckpoint(path, name);
  if (existsSync(join(path, 'config.json'))) {
    const addon = loadAddon();
    const backbone = await callNative(addon, options.signal, (token) => addon.inspectBackbone(path, token));
    return { kind: 'backbone', name, backbone };
  }
  return inspectDicom(path, name, options);
}

async function inspectCheckpoint(path: string, name: string): Promise<Inspection> {
  const checkpoint = await readCheckpoint(path);
  const checks = await Promise.allSettled([
    verifyBackbone('vision', checkpoint.vision),
    verifyBackbone('language', checkpoint.language),
  ]);
  const problems = checks.flatMap((check) => (check.status === 'rejected' ? [(check.reason as Error).message] : []));
  return { kind: 'checkpoint', name, checkpoint, problems };
}

async function inspectDicom(path: string, name: string, options: LoadVolumeOptions): Promise<Inspection> {
  try {
    const volume = await loadVolume(path, options);
    return { kind: 'volume', name, source: 'dicom', volume: volume.info };
  } catch (error) {
    // A directory of another kind ends here too, and the user should hear more than that it is not DICOM.
    if (!Brain3DError.isInstance(error) || error.code !== 'BRAIN3D_FORMAT') throw error;
    throw unknownKind(name, `it has no ${CHECKPOINT_FILE} and no config.json, and ${error.message}`, error);
  }
}

function unknownKind(name: string, reason: string, cause?: unknown): Brain3DError {
  return new Brain3DError('BRAIN3D_UNSUPPORTED', `expected ${EXPECTED}, got '${name}': ${reason}`, {
    file: name,
    cause,
  });
}
