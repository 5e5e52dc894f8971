/** The JSON that BIDS and dcm2niix put beside a volume: `scan.json` of `scan.nii` or `scan.nii.gz`. */
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { Brain3DError } from './errors';
import { jsonFault } from './unquoted';

/** dcm2niix writes some kilobytes. */
const MAX_SIDECAR_BYTES = 2 ** 20;
const VOLUME_NAME = /\.nii(?:\.gz)?$/;
/** As DICOM writes a modality. Anything else may be text about a patient and is not shown. */
const MODALITY_CODE = /^[A-Z]{2,16}$/;

/**
 * What a volume's sidecar says the modality is, as DICOM's code; null without a sidecar, or if it says nothing of it.
 * One that cannot be read is refused rather than passed over: it may be the one that says CT.
 * @param advice for the message of a refusal
 * @throws {Brain3DError} BRAIN3D_FORMAT for what is no JSON object of at most 1 MiB, or a modality that is no code;
 *   BRAIN3D_IO where the system refuses
 */
export function sidecarModality(volumePath: string, advice: string): { file: string; modality: string } | null {
  if (!VOLUME_NAME.test(volumePath)) return null;
  const path = volumePath.replace(VOLUME_NAME, '.json');
  const file = basename(path);
  const refuse = (expected: string): never => {
    throw new Brain3DError('BRAIN3D_FORMAT', `${file}: ${expected}; it lies beside the volume: ${advice}`, {
      file,
      field: 'Modality',
    });
  };
  const text = readSidecar(path, file, refuse);
  if (text === null) return null;
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    return refuse(`expected JSON, got something else (${jsonFault(cause)})`);
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return refuse('expected a JSON object');
  if (!Object.hasOwn(json, 'Modality')) return null;
  const { Modality: modality } = json as { Modality: unknown };
  if (typeof modality !== 'string' || !MODALITY_CODE.test(modality))
    return refuse("expected a code such as MR or CT for 'Modality', got something else");
  return { file, modality };
}

function readSidecar(path: string, file: string, refuse: (expected: string) => never): string | null {
  let descriptor: number;
  try {
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK); // a pipe would be waited for without end
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return null;
    throw new Brain3DError('BRAIN3D_IO', `cannot read '${file}' (${code})`, { file, cause });
  }
  try {
    const status = fstatSync(descriptor);
    if (!status.isFile()) return refuse('expected a regular file, got something else');
    if (status.size > MAX_SIDECAR_BYTES)
      return refuse(`expected at most ${MAX_SIDECAR_BYTES} bytes, got ${status.size}`);
    return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(descriptor));
  } catch (cause) {
    if (Brain3DError.isInstance(cause)) throw cause;
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA') return refuse('expected UTF-8 text, got other bytes');
    throw new Brain3DError('BRAIN3D_IO', `cannot read '${file}' (${code})`, { file, cause });
  } finally {
    closeSync(descriptor);
  }
}
