/** 3D images with their place in the patient. Orientation comes from the affine, never from a name. */
import { statSync } from 'node:fs';
import { basename } from 'node:path';
import * as v from 'valibot';
import { loadAddon } from './binding';
import { convertDicomFolder } from './dicom';
import { Brain3DError, fromNative, withCallerStack } from './errors';
import type { NativeAddon, NativeReadOptions, NativeVolume, NativeVolumeInfo } from './native';
import { callNative } from './native-call';
import { makeRecipe } from './recipe';
import { is, parseOptions } from './validate';

export type VolumeInfo = NativeVolumeInfo;

const ReadSchema = v.object({
  /** Axis codes such as `RAS` or `LPS`, for a file whose affine says nothing. */
  orientation: v.optional(v.pipe(is.text(), v.regex(/^[LRAPSI]{3}$/, 'expected axis codes such as RAS or LPS'))),
  /** Which volume of a 4D file, from 0. */
  volumeIndex: v.optional(is.integer(0, 1 << 20)),
  /** Which affine to believe where qform and sform contradict each other. */
  preferAffine: v.optional(is.oneOf(['sform', 'qform'])),
  signal: v.optional(is.signal()),
});
export type LoadVolumeOptions = v.InferInput<typeof ReadSchema>;

const side = () => is.integer(1, 4096);
const PreprocessSchema = v.object({
  /** (D, H, W). @default [64, 128, 128] */
  size: v.optional(v.strictTuple([side(), side(), side()], 'expected three sides (D, H, W)')),
  /** @default 1 */
  lowerPercentile: v.optional(is.number(0, 100)),
  /** @default 99 */
  upperPercentile: v.optional(is.number(0, 100)),
  signal: v.optional(is.signal()),
});
export type PreprocessOptions = v.InferInput<typeof PreprocessSchema>;

const WriteSchema = v.object({
  /** How voxels are stored; integers are rounded and must fit. @default 'float32' */
  datatype: v.optional(is.oneOf(['float32', 'int16', 'uint8'])),
  signal: v.optional(is.signal()),
});
export type WriteVolumeOptions = v.InferInput<typeof WriteSchema>;

/** A volume in native memory; freed when it is no longer referenced. */
export class Volume {
  readonly #addon: NativeAddon;
  readonly #native: NativeVolume;
  readonly info: Readonly<VolumeInfo>;
  /** The preprocessing it has been through; null for a volume as read. */
  readonly preprocessed: Readonly<{ size: [number, number, number] }> | null;

  /** @internal */
  constructor(
    addon: NativeAddon,
    native: NativeVolume,
    preprocessed: { size: [number, number, number] } | null,
    conversionWarnings: string[] = [],
  ) {
    this.#addon = addon;
    this.#native = native;
    const info = native.info();
    this.info = Object.freeze({ ...info, warnings: [...conversionWarnings, ...info.warnings] });
    this.preprocessed = preprocessed;
  }

  /**
   * A volume from voxels in row-major (D, H, W) order; they are copied.
   * @param affine row-major 4 x 4 from (i, j, k) = (w, h, d) to RAS mm.
   * @throws {Brain3DError} BRAIN3D_USAGE, BRAIN3D_ORIENTATION
   */
  static fromArray(voxels: Float32Array, shape: [number, number, number], affine: number[]): Volume {
    const addon = loadAddon();
    try {
      return new Volume(addon, addon.volumeFromArray(voxels, shape, affine), null);
    } catch (failure) {
      throw fromNative(failure);
    }
  }

  /** A copy of the voxels, row-major (D, H, W). */
  data(): Float32Array {
    return this.#native.data();
  }

  /**
   * Writes a NIfTI-1 file with this volume's affine; gzipped if the name ends in `.gz`.
   * @throws {Brain3DError} BRAIN3D_USAGE if a voxel does not fit the datatype, BRAIN3D_IO
   */
  async write(path: string, options: WriteVolumeOptions = {}): Promise<void> {
    const { signal, datatype = 'float32' } = parseOptions('volume.write', WriteSchema, options);
    await withCallerStack(this.write, () =>
      callNative(this.#addon, signal, (token) => this.#addon.writeVolume(this.#native, path, datatype, token)),
    );
  }

  /** @internal */
  get native(): NativeVolume {
    return this.#native;
  }
}

/**
 * Reads a NIfTI file (`.nii`, `.nii.gz`) or a folder of DICOM slices.
 * @throws {Brain3DError} BRAIN3D_NOT_FOUND, BRAIN3D_IO, BRAIN3D_FORMAT, BRAIN3D_UNSUPPORTED, BRAIN3D_ORIENTATION
 */
export async function loadVolume(path: string, options: LoadVolumeOptions = {}): Promise<Volume> {
  const { signal, ...read } = parseOptions('loadVolume', ReadSchema, options);
  const addon = loadAddon();
  const nativeOptions = toNativeRead(read);
  const readFile = async (file: string, warnings: string[] = []): Promise<Volume> => {
    const native = await callNative(addon, signal, (token) => addon.readVolume(file, nativeOptions, token));
    return new Volume(addon, native, null, warnings);
  };
  return withCallerStack(loadVolume, async () =>
    isFolder(path) ? convertDicomFolder(path, signal, readFile) : readFile(path),
  );
}

/** Geometry and warnings of a NIfTI file without its voxels. */
export async function inspectVolume(path: string, options: LoadVolumeOptions = {}): Promise<VolumeInfo> {
  const { signal, ...read } = parseOptions('inspectVolume', ReadSchema, options);
  const addon = loadAddon();
  return withCallerStack(inspectVolume, () =>
    callNative(addon, signal, (token) => addon.readVolumeInfo(path, toNativeRead(read), token)),
  );
}

/**
 * The paper's preprocessing: canonical RAS, in-plane padding to a square, percentile clip to [0, 1], trilinear resize.
 * Axes afterwards: D to Superior, H to Anterior, W to the patient's Right.
 * @throws {Brain3DError} BRAIN3D_VOLUME for a constant or non-finite volume
 */
export async function preprocess(volume: Volume, options: PreprocessOptions = {}): Promise<Volume> {
  const parsed = parseOptions('preprocess', PreprocessSchema, options);
  const defaults = makeRecipe('paper');
  const size = parsed.size ?? defaults.volumeSize;
  const addon = loadAddon();
  const settings = {
    size,
    lowerPercentile: parsed.lowerPercentile ?? defaults.lowerPercentile,
    upperPercentile: parsed.upperPercentile ?? defaults.upperPercentile,
  };
  const native = await withCallerStack(preprocess, () =>
    callNative(addon, parsed.signal, (token) => addon.preprocess(volume.native, settings, token)),
  );
  return new Volume(addon, native, { size });
}

function toNativeRead(options: Omit<LoadVolumeOptions, 'signal'>): NativeReadOptions {
  return {
    volumeIndex: options.volumeIndex ?? -1,
    orientation: options.orientation ?? '',
    preferAffine: options.preferAffine ?? '',
  };
}

function isFolder(path: string): boolean {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found !== undefined) return found.isDirectory();
  throw new Brain3DError('BRAIN3D_NOT_FOUND', `expected a volume, but '${basename(path)}' does not exist`, {
    file: basename(path),
  });
}
