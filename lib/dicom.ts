/** A folder of DICOM slices as a NIfTI file, by dcm2niix. Its temporary file never outlives the call. */
import { existsSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { Worker } from 'node:worker_threads';
import { Brain3DError } from './errors';
import { withTemporaryFolder } from './temporary-folder';

const MAX_FILES = 4096;
const MAX_TOTAL_BYTES = 512 * 2 ** 20;
const TIMEOUT_MS = 5 * 60_000;

export interface ConversionRequest {
  /** Directory of the package @niivue/dcm2niix. */
  packageDir: string;
  files: string[];
  /** Written only if there is exactly one image. */
  output: string;
}

export interface Conversion {
  exitCode: number;
  images: {
    /** Series number, with dcm2niix's suffix where a series holds several images. */
    name: string;
    /** Voxels along (i, j, k), and volumes if there are several. */
    shape: number[];
  }[];
}

/** A line that dcm2niix prints, or its end. */
export type ConversionMessage = { line: string } | { conversion: Conversion };

/**
 * Converts the slices in `folder` (not in folders below it), calls `use` with the NIfTI file and what dcm2niix warned
 * of, and removes the file.
 * @throws {Brain3DError} BRAIN3D_FORMAT without slices that can be converted, BRAIN3D_UNSUPPORTED for several series
 */
export async function convertDicomFolder<T>(
  folder: string,
  signal: AbortSignal | undefined,
  use: (niftiPath: string, warnings: string[]) => Promise<T>,
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
    // Errors of the reader name this file, so it is called after the folder.
    const output = join(directory, `${name.slice(0, 100)}.nii`);
    const warnings = await convert({ packageDir, files, output }, name, signal);
    return use(output, warnings);
  });
}

/** Directory of the package @niivue/dcm2niix; null if it is not installed. Its exports hide it from require.resolve. */
export function findDcm2niix(): string | null {
  const roots = require.resolve.paths('@niivue/dcm2niix') ?? [];
  const found = roots.map((root) => join(root, '@niivue', 'dcm2niix'));
  return found.find((directory) => existsSync(join(directory, 'package.json'))) ?? null;
}

/** Regular files only: no links, no pipes, nothing below. */
async function listFiles(folder: string, name: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause: NodeJS.ErrnoException) => {
    throw new Brain3DError('BRAIN3D_IO', `the folder '${name}' cannot be read (${cause.code})`, { file: name, cause });
  });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(folder, entry.name));
  if (files.length === 0) {
    const below = entries.filter((entry) => entry.isDirectory()).length;
    const hint = below === 0 ? '' : `, only ${below} folders: give the one that holds the slices`;
    throw notDicom(name, `it holds no files${hint}`);
  }
  if (files.length > MAX_FILES) throw tooLarge(name, `${files.length} files`, `${MAX_FILES}`);
  const sizes = await Promise.all(files.map(async (file) => (await stat(file)).size));
  const bytes = sizes.reduce((sum, size) => sum + size, 0);
  if (bytes > MAX_TOTAL_BYTES)
    throw tooLarge(name, `${Math.ceil(bytes / 2 ** 20)} MiB`, `${MAX_TOTAL_BYTES / 2 ** 20} MiB`);
  // Readdir's order is the disk's; the same folder must always give the same volume.
  return files.sort();
}

async function convert(request: ConversionRequest, name: string, signal: AbortSignal | undefined): Promise<string[]> {
  const { conversion, complaints } = await runWorker(request, name, signal);
  const { exitCode, images } = conversion;
  const complaint = complaints.at(-1);
  if (images.length > 1) {
    const found = images.map((image) => `${image.name} (${image.shape.join(' x ')})`).join(', ');
    throw new Brain3DError(
      'BRAIN3D_UNSUPPORTED',
      `the folder '${name}' holds ${images.length} images, expected one; dcm2niix found, by series number: ${found}; ` +
        'put the slices of one series into a folder of their own',
      { file: name },
    );
  }
  if (images.length === 0) throw notDicom(name, complaint ?? 'dcm2niix finds no image in it');
  // It writes an image also where slices are missing or overlap, and says so with its exit status.
  if (exitCode !== 0) throw notDicom(name, complaint ?? `dcm2niix ended with status ${exitCode}`);
  return complaints.map((line) => `dcm2niix: ${line}`);
}

/** `complaints` are the warnings and errors that dcm2niix printed. */
async function runWorker(
  request: ConversionRequest,
  name: string,
  signal: AbortSignal | undefined,
): Promise<{ conversion: Conversion; complaints: string[] }> {
  // An abort that came before is no event any more.
  signal?.throwIfAborted();
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  const stop = signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
  const worker = new Worker(join(__dirname, 'dicom-worker.js'), { workerData: request });
  const complaints: string[] = [];
  try {
    const conversion = await new Promise<Conversion>((resolve, reject) => {
      const fail = (what: string, cause?: unknown) =>
        reject(notDicom(name, `dcm2niix ${what}. ${complaints.at(-1) ?? ''}`, cause));
      worker.on('message', (message: ConversionMessage) => {
        if ('conversion' in message) resolve(message.conversion);
        else if (/^(warning|error)/i.test(message.line)) complaints.push(message.line);
      });
      worker.on('error', (cause) => fail(`failed (${cause.message})`, cause));
      worker.on('exit', () => fail('ended early'));
      stop.addEventListener('abort', () => {
        if (signal?.aborted) reject(signal.reason);
        else fail(`took more than ${TIMEOUT_MS / 1000} s`);
      });
    });
    return { conversion, complaints };
  } finally {
    await worker.terminate();
  }
}

function notDicom(name: string, reason: string, cause?: unknown): Brain3DError {
  return new Brain3DError(
    'BRAIN3D_FORMAT',
    `expected a folder of DICOM slices of one series, but '${name}' cannot be converted: ${reason}`,
    { file: name, cause },
  );
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
