/**
 * Converts a folder of DICOM slices to a NIfTI file with dcm2niix. Its temporary file is removed at the end of the
 * call.
 */
import { existsSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { Worker } from 'node:worker_threads';
import { Brain3DError } from '../base/errors';
import { withTemporaryFolder } from '../files/temporary-folder';
import type { StackFault } from './geometry';

const MAX_FILES = 4096;
const MAX_TOTAL_BYTES = 512 * 2 ** 20;
const TIMEOUT_MS = 5 * 60_000;

export interface ConversionRequest {
  /** The directory of the package @niivue/dcm2niix. */
  packageDir: string;
  files: string[];
  /** The output file. It is written only if there is exactly one image, and it is the one that the slices describe. */
  output: string;
}

/** The result of a conversion: a volume at `output`, or the reason why there is none. */
export interface Conversion {
  /** The reason why no FLAIR image can be read from the slices, worded as what was got; null where nothing says so. */
  notFlair: string | null;
  warnings: string[];
}

export type ConversionMessage = { fault: StackFault } | { conversion: Conversion };

/**
 * Converts the slices in `folder` (not in folders below it), calls `use` with the NIfTI file and the warnings about the
 * slices, and removes the file.
 * @throws {Brain3DError} BRAIN3D_FORMAT unless the slices are one volume by their own headers and dcm2niix makes that
 *   volume of them, BRAIN3D_UNSUPPORTED for several series and images that are no slices
 */
export async function convertDicomFolder<T>(
  folder: string,
  signal: AbortSignal | undefined,
  use: (niftiPath: string, conversion: Conversion) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted();
  const name = basename(resolve(folder));
  const files = await listFiles(folder, name);
  const packageDir = findDcm2niix();
  if (packageDir === null) {
    throw new Brain3DError(
      'BRAIN3D_UNSUPPORTED',
      "DICOM needs the package '@niivue/dcm2niix', which is not installed: npm install @niivue/dcm2niix",
    );
  }
  return withTemporaryFolder(async (directory) => {
    // Errors of the reader name this file, so it has the folder's name.
    const output = join(directory, `${name.slice(0, 100)}.nii`);
    const conversion = await runWorker({ packageDir, files, output }, name, signal);
    return use(output, conversion);
  });
}

/**
 * Returns the directory of the package @niivue/dcm2niix; null if it is not installed. Its exports hide it from
 * require.resolve.
 */
export function findDcm2niix(): string | null {
  const roots = require.resolve.paths('@niivue/dcm2niix') ?? [];
  const found = roots.map((root) => join(root, '@niivue', 'dcm2niix'));
  return found.find((directory) => existsSync(join(directory, 'package.json'))) ?? null;
}

/**
 * Lists regular files only: no links, no pipes, nothing below. A link may be a slice, so a folder with one is refused.
 */
async function listFiles(folder: string, name: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause: NodeJS.ErrnoException) => {
    throw new Brain3DError('BRAIN3D_IO', `the folder '${name}' cannot be read (${cause.code})`, { file: name, cause });
  });
  const isSystems = (file: string): boolean => /^(?:\.|DICOMDIR$|Thumbs\.db$)/i.test(file);
  const given = entries.filter((entry) => !isSystems(entry.name));
  const files = given.filter((entry) => entry.isFile()).map((entry) => join(folder, entry.name));
  const links = given.filter((entry) => entry.isSymbolicLink()).length;
  const advice = `it holds ${links} symbolic links, which are not followed: copy the slices themselves into a folder`;
  if (files.length === 0) {
    const below = given.filter((entry) => entry.isDirectory()).length;
    const hint = below === 0 ? '' : `, only ${below} folders: give the one that holds the slices`;
    throw notDicom(name, `it holds no files${hint}${links === 0 ? '' : `; ${advice}`}`);
  }
  if (links > 0) throw notDicom(name, advice);
  const volumes = files.filter((file) => /\.nii(?:\.gz)?$/i.test(file)).length;
  if (volumes > 0 && files.every((file) => /\.(?:nii|nii\.gz|json|bval|bvec|txt)$/i.test(file)))
    throw notDicom(
      name,
      `it holds ${volumes === 1 ? 'a NIfTI file: give that' : `${volumes} NIfTI files: give one of them`}`,
    );
  if (files.length > MAX_FILES) throw tooLarge(name, `${files.length} files`, `${MAX_FILES}`);
  const sizes = await Promise.all(files.map(async (file) => (await stat(file)).size));
  const bytes = sizes.reduce((sum, size) => sum + size, 0);
  if (bytes > MAX_TOTAL_BYTES)
    throw tooLarge(name, `${Math.ceil(bytes / 2 ** 20)} MiB`, `${MAX_TOTAL_BYTES / 2 ** 20} MiB`);
  // The order of readdir is the disk's, but the same folder must always give the same volume.
  return files.sort();
}

async function runWorker(
  request: ConversionRequest,
  name: string,
  signal: AbortSignal | undefined,
): Promise<Conversion> {
  // An abort that came before this gives no event any more.
  signal?.throwIfAborted();
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  const stop = signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
  const worker = new Worker(join(__dirname, 'worker.js'), { workerData: request });
  try {
    return await new Promise<Conversion>((resolve, reject) => {
      const fail = (what: string, cause?: unknown) => reject(notDicom(name, `dcm2niix ${what}`, cause));
      worker.on('message', (message: ConversionMessage) => {
        if ('conversion' in message) resolve(message.conversion);
        else reject(refused(name, message.fault));
      });
      worker.on('error', (cause) => fail(`failed (${cause.message})`, cause));
      worker.on('exit', () => fail('ended early'));
      stop.addEventListener('abort', () => {
        if (signal?.aborted) reject(signal.reason);
        else fail(`took more than ${TIMEOUT_MS / 1000} s`);
      });
    });
  } finally {
    await worker.terminate();
  }
}

function refused(name: string, { code, field, reason }: StackFault): Brain3DError {
  if (code === 'BRAIN3D_FORMAT') return notDicom(name, reason, undefined, field);
  return new Brain3DError(code, `the folder '${name}' ${reason}`, { file: name, field });
}

function notDicom(name: string, reason: string, cause?: unknown, field?: string): Brain3DError {
  const expected = /\.nii(?:\.gz)?$/i.test(name)
    ? `expected a NIfTI file or a folder of DICOM slices of one series, but '${name}' is a folder and`
    : `expected a folder of DICOM slices of one series, but '${name}'`;
  return new Brain3DError('BRAIN3D_FORMAT', `${expected} cannot be converted: ${reason}`, { file: name, field, cause });
}

function tooLarge(name: string, size: string, limit: string): Brain3DError {
  return new Brain3DError(
    'BRAIN3D_UNSUPPORTED',
    `the folder '${name}' holds ${size}, more than the limit of ${limit}`,
    {
      file: name,
    },
  );
}
