/**
 * dcm2niix in a thread of its own: it blocks, and hostile input can make it crash or never end. It is WebAssembly with
 * a file system in memory, so it sees no other file and no network.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import type { Conversion, ConversionMessage, ConversionRequest } from './dicom';

/** What is used of an Emscripten module. */
interface Dcm2niix {
  callMain(args: string[]): number;
  FS: {
    mkdir(path: string): void;
    createDataFile(
      dir: string,
      name: string,
      data: Uint8Array,
      canRead: boolean,
      canWrite: boolean,
      canOwn: boolean,
    ): void;
    readdir(path: string): string[];
    readFile(path: string): Uint8Array;
  };
}
type Factory = (options: {
  wasmBinary: Uint8Array;
  locateFile: (name: string) => string;
  print: (line: string) => void;
  printErr: (line: string) => void;
}) => Promise<Dcm2niix>;

/** No sidecar, anonymised all the same; values as stored, not rescaled; named by series; folders are not searched. */
const ARGUMENTS = ['-b', 'n', '-ba', 'y', '-z', 'n', '-l', 'o', '-f', '%s', '-d', '0', '-o', '/output', '/input'];

/** This build reads compressed slices too (JPEG 2000, JPEG-LS). */
async function open(packageDir: string, print: (line: string) => void): Promise<Dcm2niix> {
  const source = readFileSync(join(packageDir, 'dist', 'dcm2niix.jpeg.js'));
  // The package does not say that its .js files are ES modules, and not every Node 20 guesses it; a data URL always is.
  const module = (await import(`data:text/javascript;base64,${source.toString('base64')}`)) as { default: Factory };
  const wasmBinary = readFileSync(join(packageDir, 'dist', 'dcm2niix.jpeg.wasm'));
  return module.default({ wasmBinary, locateFile: (name) => name, print, printErr: print });
}

async function convert(request: ConversionRequest, print: (line: string) => void): Promise<Conversion> {
  const { callMain, FS } = await open(request.packageDir, print);
  FS.mkdir('/input');
  FS.mkdir('/output');
  request.files.forEach((file, index) => {
    // Numbered: its messages quote names, and names of slices may identify a patient.
    FS.createDataFile('/input', String(index).padStart(4, '0'), read(file, index), true, false, true);
  });
  const exitCode = callMain([...ARGUMENTS]);
  const names = FS.readdir('/output')
    .filter((name) => name.endsWith('.nii'))
    .sort();
  const images = names.map((name) => ({ name: name.slice(0, -4), data: FS.readFile(`/output/${name}`) }));
  const [only, ...others] = images;
  if (only !== undefined && others.length === 0) writeFileSync(request.output, only.data, { mode: 0o600, flag: 'wx' });
  return { exitCode, images: images.map(({ name, data }) => ({ name, shape: niftiShape(data) })) };
}

/** Numbered in a failure, too. */
function read(file: string, index: number): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new Error(`its file ${index + 1} by name cannot be read (${(cause as NodeJS.ErrnoException).code})`);
  }
}

/** `dim` of a NIfTI-1 header, little-endian. */
function niftiShape(nifti: Uint8Array): number[] {
  const view = new DataView(nifti.buffer, nifti.byteOffset, nifti.byteLength);
  const rank = view.getInt16(40, true);
  return Array.from({ length: rank }, (_, axis) => view.getInt16(42 + 2 * axis, true));
}

const port = parentPort;
if (port === null) throw new Error('dicom-worker runs as a worker thread only');
const post = (message: ConversionMessage): void => port.postMessage(message);
const print = (line: string): void => {
  if (line.trim() !== '') post({ line: line.trim() });
};
convert(workerData as ConversionRequest, print).then(
  (conversion) => post({ conversion }),
  (error: Error) => {
    // As an uncaught exception it ends this thread and reaches the other side; without its stack, in which every frame
    // repeats the data URL.
    throw new Error(error.message);
  },
);
