/** Texts that stand for what identifies a patient, planted wherever a file has room for them, and the search for them. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

/** By where they are planted. None contains another. */
export const CANARY = {
  /** Free text of a NIfTI header and its extensions. */
  header: 'QZHDR',
  /** A folder's name. */
  folder: 'QZDIR',
  /** Base name of a file, an id or a subject of a manifest. */
  name: 'QZNAME',
  /** A report. */
  text: 'QZTEXT',
} as const;
export type Canary = keyof typeof CANARY;

/** Offset and length of NIfTI-1's free texts. */
const FIELDS = {
  data_type: [4, 10],
  db_name: [14, 18],
  descrip: [148, 80],
  aux_file: [228, 24],
  intent_name: [328, 16],
};
const HEADER_BYTES = 348;
/** DICOM, AFNI, comment. */
const EXTENSION_CODES = [2, 4, 6];

/** The bytes of an uncompressed NIfTI-1 file, with a canary in each free text and an extension of each kind. */
export function plantInHeader(nifti: Buffer): Buffer {
  const header = Buffer.from(nifti.subarray(0, HEADER_BYTES));
  for (const [offset, length] of Object.values(FIELDS))
    header.write(`${CANARY.header}${offset}`, offset, length, 'latin1');
  const extensions = EXTENSION_CODES.map((code) => {
    const extension = Buffer.alloc(48);
    extension.writeInt32LE(extension.length, 0);
    extension.writeInt32LE(code, 4);
    extension.write(`${CANARY.header} PatientName ${code}`, 8, 'latin1');
    return extension;
  });
  const voxels = nifti.subarray(header.readFloatLE(108));
  const before = [Buffer.from([1, 0, 0, 0]), ...extensions];
  header.writeFloatLE(HEADER_BYTES + Buffer.concat(before).length, 108);
  return Buffer.concat([header, ...before, voxels]);
}

/** Which canaries stand in `bytes`. */
export function canariesIn(bytes: Buffer | string): Canary[] {
  return (Object.keys(CANARY) as Canary[]).filter((kind) => bytes.includes(CANARY[kind]));
}

/** Every file below `dir`, links left out. */
export function filesBelow(dir: string): string[] {
  const entries = readdirSync(dir, { withFileTypes: true, recursive: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

/** A file's canaries, inflated if it is gzipped. */
export function canariesInFile(path: string): Canary[] {
  const bytes = readFileSync(path);
  return canariesIn(path.endsWith('.gz') ? gunzipSync(bytes) : bytes);
}

export function modeOf(path: string): number {
  return statSync(path).mode & 0o777;
}
