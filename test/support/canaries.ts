/** Plants texts in place of data that identify a patient, wherever a file has room for them, and searches for them. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

/** The canaries by the place where they are planted. None contains another. */
export const CANARY = {
  /** The free text of a NIfTI header and its extensions. */
  header: 'QZHDR',
  /** The name of a folder. */
  folder: 'QZDIR',
  /** The base name of a file, or an id or a subject of a manifest. */
  name: 'QZNAME',
  /** The text of a report. */
  text: 'QZTEXT',
} as const;
export type Canary = keyof typeof CANARY;

/** The offset and length of NIfTI-1's free texts. */
const FIELDS = {
  data_type: [4, 10],
  db_name: [14, 18],
  descrip: [148, 80],
  aux_file: [228, 24],
  intent_name: [328, 16],
};
const HEADER_BYTES = 348;
/** The codes of DICOM, AFNI and comments. */
const EXTENSION_CODES = [2, 4, 6];

/** Returns the bytes of an uncompressed NIfTI-1 file, with a canary in each free text and an extension of each kind. */
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

/** Returns the canaries that stand in `bytes`. */
export function canariesIn(bytes: Buffer | string): Canary[] {
  return (Object.keys(CANARY) as Canary[]).filter((kind) => bytes.includes(CANARY[kind]));
}

/** Returns every file below `dir`; links are left out. */
export function filesBelow(dir: string): string[] {
  const entries = readdirSync(dir, { withFileTypes: true, recursive: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

/** Returns a file's canaries; the file is inflated if it is gzipped. */
export function canariesInFile(path: string): Canary[] {
  const bytes = readFileSync(path);
  return canariesIn(path.endsWith('.gz') ? gunzipSync(bytes) : bytes);
}

export function modeOf(path: string): number {
  return statSync(path).mode & 0o777;
}
