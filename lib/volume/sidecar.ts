/** Reads the JSON that BIDS and dcm2niix put beside a volume: `scan.json` of `scan.nii` or `scan.nii.gz`. */
import { readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { Brain3DError } from '../base/errors';
import type { Acquisition } from '../dicom/acquisition';
import { isJsonObject, readJson } from '../files/json';

/** The largest sidecar that is read. dcm2niix writes some kilobytes. */
const MAX_SIDECAR_BYTES = 2 ** 20;
const VOLUME_NAME = /\.nii(?:\.gz)?$/i;
/** A modality as DICOM writes it. Anything else may be text about a patient and is not shown. */
const MODALITY_CODE = /^[A-Z]{2,16}$/;

export interface Sidecar {
  /** The base name. */
  file: string;
  /** DICOM's code of the modality; null if the sidecar names none. */
  modality: string | null;
  made: Acquisition;
}

/**
 * Reads how a volume was made from its sidecar; null without a sidecar. A sidecar that cannot be read is refused rather
 * than passed over, since it may be the one that says CT. A field other than `Modality` that has an unexpected type is
 * ignored.
 * @param advice for the message of a refusal
 * @throws {Brain3DError} BRAIN3D_FORMAT for what is no JSON object of at most 1 MiB, or a modality that is no code;
 *   BRAIN3D_IO where the system refuses
 */
export async function readSidecar(volumePath: string, advice: string): Promise<Sidecar | null> {
  if (!VOLUME_NAME.test(volumePath)) return null;
  const path = sidecarPath(volumePath.replace(VOLUME_NAME, '.json'));
  const file = basename(path);
  const fault = (expected: string) =>
    new Brain3DError('BRAIN3D_FORMAT', `${file}: ${expected}; it lies beside the volume: ${advice}`, {
      file,
      field: 'Modality',
    });
  const json = await readJson(path, { what: 'a sidecar', maxBytes: MAX_SIDECAR_BYTES, fault }).catch((error) => {
    if (Brain3DError.isInstance(error) && error.code === 'BRAIN3D_NOT_FOUND') return undefined;
    throw error;
  });
  if (json === undefined) return null;
  if (!isJsonObject(json)) throw fault('expected a JSON object');
  const field = (name: string): unknown => (Object.hasOwn(json, name) ? json[name] : undefined);
  const modality = field('Modality');
  if (modality !== undefined && (typeof modality !== 'string' || !MODALITY_CODE.test(modality)))
    throw fault("expected a code such as MR or CT for 'Modality', got something else");
  return { file, modality: modality ?? null, made: acquisition(field) };
}

/** Finds the sidecar. An archive or a file system may have changed the case of its ending. */
function sidecarPath(path: string): string {
  const name = basename(path);
  try {
    const names = readdirSync(dirname(path)).filter((entry) => entry.toLowerCase() === name.toLowerCase());
    return names.includes(name) || names[0] === undefined ? path : join(dirname(path), names[0]);
  } catch {
    return path; // the folder cannot be listed, but the file may be readable: opening it gives the error
  }
}

/**
 * Reads the acquisition as BIDS and dcm2niix write it: times in seconds, and codes as a list or joined by a backslash
 * or an underscore.
 */
function acquisition(field: (name: string) => unknown): Acquisition {
  const codes = (name: string, separator: RegExp): string[] => {
    const value = field(name);
    const texts = Array.isArray(value) ? value : typeof value === 'string' ? value.split(separator) : [];
    return texts.filter((text) => typeof text === 'string').map((text) => text.trim().toUpperCase());
  };
  const milliseconds = (name: string): number | null => {
    const value = field(name);
    return typeof value === 'number' && Number.isFinite(value) && value > 0 ? value * 1000 : null;
  };
  const sequenceName = field('SequenceName');
  return {
    imageType: codes('ImageType', /\\/),
    scanningSequence: codes('ScanningSequence', /[\\_]/),
    sequenceName: typeof sequenceName === 'string' ? sequenceName : null,
    repetitionTimeMs: milliseconds('RepetitionTime'),
    echoTimeMs: milliseconds('EchoTime'),
    inversionTimeMs: milliseconds('InversionTime'),
    hasInversion: false,
    contrast: null,
    component: codes('ComplexImageComponent', /\\/)[0] ?? null,
    isAngiography: false,
    bValue: null,
  };
}
