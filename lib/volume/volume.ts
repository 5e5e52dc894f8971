/** 3D images with their place in the patient. Orientation comes from the affine, never from a name. */
import { type Stats, statSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import * as v from 'valibot';
import { Brain3DError, fromNative, withCallerStack } from '../base/errors';
import { is, parseOptions } from '../base/validate';
import { makeRecipe } from '../checkpoint/recipe';
import { type Conversion, convertDicomFolder } from '../dicom/dicom';
import { loadAddon } from '../native/binding';
import { callNative } from '../native/call';
import type { NativeAddon, NativeReadOptions, NativeVolume, NativeVolumeInfo } from '../native/surface';
import { faceWarning } from './face-warning';
import { checkStripOptions, findBrain, type SkullStrip, stripEntries } from './skull-strip';

export type VolumeInfo = NativeVolumeInfo;

const ReadSchema = v.object({
  /** Axis codes such as `RAS` or `LPS`, for a file whose affine says nothing. */
  orientation: v.optional(v.pipe(is.text(), v.regex(/^[LRAPSI]{3}$/, 'expected axis codes such as RAS or LPS'))),
  /** Which volume of a 4D file to read, from 0. */
  volumeIndex: v.optional(is.integer(0, 1 << 20)),
  /** Which affine to believe where qform and sform contradict each other. */
  preferAffine: v.optional(is.oneOf(['sform', 'qform'])),
  /**
   * Lets `orientation` win over the affine, with a warning; for a file whose affine is known to be wrong. @default
   * false
   */
  overrideOrientation: v.optional(is.flag()),
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
  ...stripEntries,
  signal: v.optional(is.signal()),
});
export type PreprocessOptions = v.InferInput<typeof PreprocessSchema>;

const ExtractSchema = v.object({
  /** `auto` sees whether there is a skull at all, and uses `bet` if there is one. @default 'auto' */
  method: v.optional(is.oneOf(['auto', 'bet', 'command'])),
  /** The program and its arguments for `command`, with `{in}` and `{out}`. No shell runs it. */
  command: v.optional(is.text()),
  signal: v.optional(is.signal()),
});
export type ExtractBrainOptions = v.InferInput<typeof ExtractSchema>;

/** The brain found in a volume. */
export interface Brain extends SkullStrip {
  /** The mask: 1 in the brain, else 0. Its shape, axes and affine are the volume's. */
  mask: Volume;
}

/** The preprocessing that a volume has been through. */
export interface Preprocessed {
  /** (D, H, W) */
  size: [number, number, number];
  skullStrip: SkullStrip;
}

const WriteSchema = v.object({
  /** How voxels are stored; integers are rounded and must fit. @default 'float32' */
  datatype: v.optional(is.oneOf(['float32', 'int16', 'uint8'])),
  signal: v.optional(is.signal()),
});
export type WriteVolumeOptions = v.InferInput<typeof WriteSchema>;

/** A volume on its way to another process, or the path of one, which that process reads itself. */
export type PackedSource =
  | string
  | { voxels: Float32Array; info: VolumeInfo; preprocessed: Readonly<Preprocessed> | null; notFlair: string | null };

/** @internal A path stays a path: the other process reads it, and no voxels cross. */
export function packSource(source: string | Volume): PackedSource {
  if (typeof source === 'string') return resolve(source); // the other process may have another working directory
  const { info, preprocessed, notFlair } = source;
  return { voxels: source.data(), info, preprocessed, notFlair };
}

/** @internal Restores a volume with everything that was known of it where it was packed. */
export function unpackSource(source: PackedSource): string | Volume {
  if (typeof source === 'string') return source;
  const { voxels, info, preprocessed, notFlair } = source;
  const addon = loadAddon();
  const native = addon.volumeFromArray(voxels, info.shape, info.affine);
  return new Volume(addon, native, preprocessed, [], info, notFlair);
}

/** A volume in native memory, which is freed when it is no longer referenced. */
export class Volume {
  readonly #addon: NativeAddon;
  readonly #native: NativeVolume;
  readonly info: Readonly<VolumeInfo>;
  /** The preprocessing that the volume has been through; null for a volume as read. */
  readonly preprocessed: Readonly<Preprocessed> | null;

  /** @internal The reason why it is no FLAIR image, by the DICOM slices it came from; null where nothing says so. */
  readonly notFlair: string | null;

  /** @internal */
  constructor(
    addon: NativeAddon,
    native: NativeVolume,
    preprocessed: Preprocessed | null,
    moreWarnings: string[] = [],
    info: VolumeInfo = native.info(),
    notFlair: string | null = null,
  ) {
    this.#addon = addon;
    this.#native = native;
    this.info = Object.freeze({ ...info, warnings: [...moreWarnings, ...info.warnings] });
    this.preprocessed = preprocessed;
    this.notFlair = notFlair;
  }

  /**
   * Makes a volume from voxels in row-major (D, H, W) order; they are copied.
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

  /** Returns a copy of the voxels, row-major (D, H, W). */
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
  const readFile = async (file: string, slices?: Conversion): Promise<Volume> => {
    const native = await callNative(addon, signal, (token) => addon.readVolume(file, nativeOptions, token));
    return new Volume(addon, native, null, slices?.warnings, native.info(), slices?.notFlair);
  };
  return withCallerStack(loadVolume, async () =>
    isFolder(path) ? convertDicomFolder(path, signal, readFile) : readFile(path),
  );
}

/** Reads the geometry and the warnings of a NIfTI file without its voxels. */
export async function inspectVolume(path: string, options: LoadVolumeOptions = {}): Promise<VolumeInfo> {
  const { signal, ...read } = parseOptions('inspectVolume', ReadSchema, options);
  const addon = loadAddon();
  return withCallerStack(inspectVolume, () =>
    callNative(addon, signal, (token) => addon.readVolumeInfo(path, toNativeRead(read), token)),
  );
}

/**
 * Finds the brain in a head, or sees that a volume holds nothing else.
 * @throws {Brain3DError} BRAIN3D_VOLUME if no brain is found or its volume is no brain's; of a command
 *   BRAIN3D_NOT_FOUND, BRAIN3D_IO, BRAIN3D_SHAPE and what reading its output throws
 */
export async function extractBrain(volume: Volume, options: ExtractBrainOptions = {}): Promise<Brain> {
  const { method = 'auto', command, signal } = parseOptions('extractBrain', ExtractSchema, options);
  const strip = { skullStrip: method, skullStripCommand: command };
  checkStripOptions('extractBrain', strip);
  const addon = loadAddon();
  const { mask, skullStrip } = await withCallerStack(extractBrain, () =>
    findBrain(addon, volume.native, strip, signal),
  );
  if (mask === null || skullStrip.method === 'none')
    throw new Brain3DError('BRAIN3D_VOLUME', `expected a head or a brain; ${skullStrip.summary}`);
  return { ...skullStrip, mask: new Volume(addon, mask, null) };
}

/**
 * Applies the paper's preprocessing: a brain without its skull, canonical RAS, in-plane padding to a square, percentile
 * clip to [0, 1], trilinear resize. Afterwards D runs to Superior, H to Anterior and W to the patient's Right.
 * @throws {Brain3DError} BRAIN3D_VOLUME for a constant or non-finite volume, and what `extractBrain` throws
 */
export async function preprocess(volume: Volume, options: PreprocessOptions = {}): Promise<Volume> {
  const parsed = parseOptions('preprocess', PreprocessSchema, options);
  checkStripOptions('preprocess', parsed);
  return withCallerStack(preprocess, async () => (await stripAndPreprocess(volume, parsed)).volume);
}

/** @internal Does the work of `preprocess` and also returns the mask it applied. Options are checked already. */
export async function stripAndPreprocess(
  volume: Volume,
  options: PreprocessOptions,
): Promise<{ volume: Volume; mask: Volume | null }> {
  const defaults = makeRecipe('paper');
  const size = options.size ?? defaults.volumeSize;
  const addon = loadAddon();
  const { mask, skullStrip: found } = await findBrain(addon, volume.native, options, options.signal);
  const settings = {
    size,
    lowerPercentile: options.lowerPercentile ?? defaults.lowerPercentile,
    upperPercentile: options.upperPercentile ?? defaults.upperPercentile,
    mask,
  };
  const native = await callNative(addon, options.signal, (token) => addon.preprocess(volume.native, settings, token));
  const warning = options.skullStrip === 'none' ? faceWarning(native) : null;
  const skullStrip = warning === null ? found : { ...found, warnings: [...found.warnings, warning] };
  return {
    volume: new Volume(addon, native, { size, skullStrip }, skullStrip.warnings, native.info(), volume.notFlair),
    mask: mask === null || found.method === 'none' ? null : new Volume(addon, mask, null),
  };
}

function toNativeRead(options: Omit<LoadVolumeOptions, 'signal'>): NativeReadOptions {
  return {
    volumeIndex: options.volumeIndex ?? -1,
    orientation: options.orientation ?? '',
    preferAffine: options.preferAffine ?? '',
    overrideOrientation: options.overrideOrientation ?? false,
  };
}

function isFolder(path: string): boolean {
  const file = basename(path).slice(0, 255);
  let found: Stats | undefined;
  try {
    found = statSync(path, { throwIfNoEntry: false });
  } catch (cause) {
    // The system's own message has the whole path, which may name a patient.
    const { code } = cause as NodeJS.ErrnoException;
    throw new Brain3DError('BRAIN3D_IO', `cannot read '${JSON.stringify(file).slice(1, -1)}' (${code})`, { file });
  }
  if (found !== undefined) return found.isDirectory();
  throw new Brain3DError('BRAIN3D_NOT_FOUND', `expected a volume, but '${file}' does not exist`, { file });
}
