/**
 * Runs dcm2niix and reads the slices' headers in a thread of their own: both block, and hostile input can make them
 * crash or never end. dcm2niix is WebAssembly with a file system in memory, so it sees no other file and no network.
 * The slices' own headers say which volume it is; dcm2niix's volume is compared with that before anything is written.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import type { ConversionMessage, ConversionRequest } from './dicom';
import type { StackFault } from './geometry';
import { translate } from './messages';
import { type DicomSeries, readSeries } from './series';
import { conversionFault } from './verify';

/** The parts of an Emscripten module that are used. */
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

/**
 * The arguments of dcm2niix: no sidecar, but anonymised; values as stored, not rescaled; named by series; no search in
 * folders.
 */
const ARGUMENTS = ['-b', 'n', '-ba', 'y', '-z', 'n', '-l', 'o', '-f', '%s', '-d', '0', '-o', '/output', '/input'];

/** Opens the build that reads compressed slices too (JPEG 2000, JPEG-LS). */
async function open(packageDir: string, print: (line: string) => void): Promise<Dcm2niix> {
  const source = readFileSync(join(packageDir, 'dist', 'dcm2niix.jpeg.js'));
  // The package does not say that its .js files are ES modules, and not every Node 20 guesses it; a data URL always is.
  const module = (await import(`data:text/javascript;base64,${source.toString('base64')}`)) as { default: Factory };
  const wasmBinary = readFileSync(join(packageDir, 'dist', 'dcm2niix.jpeg.wasm'));
  return module.default({ wasmBinary, locateFile: (name) => name, print, printErr: print });
}

async function convert({ packageDir, files, output }: ConversionRequest): Promise<ConversionMessage> {
  const contents = files.map(read);
  const series = readSeries(contents);
  if ('reason' in series) return { fault: series };
  const lines: string[] = [];
  const { callMain, FS } = await open(packageDir, (line) => lines.push(line));
  FS.mkdir('/input');
  FS.mkdir('/output');
  for (const index of series.files)
    FS.createDataFile('/input', String(index).padStart(4, '0'), contents[index] as Buffer, true, false, true);
  const exitCode = callMain([...ARGUMENTS]);
  const images = FS.readdir('/output').filter((name) => name.endsWith('.nii'));
  const says = translate(lines);
  const reason =
    says.fault ??
    resultFault(
      series,
      contents,
      images.map((name) => FS.readFile(`/output/${name}`)),
      exitCode,
    );
  if (reason !== null) return { fault: format(reason) };
  writeFileSync(output, FS.readFile(`/output/${images[0]}`), { mode: 0o600, flag: 'wx' });
  return { conversion: { notFlair: series.notFlair, warnings: [...series.warnings, ...says.warnings] } };
}

/** Returns why the volume of dcm2niix is not the one that the slices describe; null if it is. */
function resultFault(
  { stack }: DicomSeries,
  contents: Buffer[],
  images: Uint8Array[],
  exitCode: number,
): string | null {
  const [only, ...others] = images;
  if (only === undefined) return 'dcm2niix finds no image in it';
  if (others.length > 0) return `dcm2niix makes ${images.length} images of its slices, expected one`;
  // dcm2niix also writes an image where it finds that something is missing, and reports that with its exit status.
  if (exitCode !== 0) return `dcm2niix ended with status ${exitCode}`;
  const fault = conversionFault(stack, (file) => contents[file] as Buffer, only);
  return fault === null ? null : `dcm2niix makes another volume of its slices than they describe: ${fault}`;
}

function format(reason: string): StackFault {
  return { code: 'BRAIN3D_FORMAT', field: 'PixelData', reason };
}

/** Reads a file; an error gives its number too. */
function read(file: string, index: number): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new Error(`its file ${index + 1} by name cannot be read (${(cause as NodeJS.ErrnoException).code})`);
  }
}

const port = parentPort;
if (port === null) throw new Error('dicom-worker runs as a worker thread only');
convert(workerData as ConversionRequest).then(
  (message) => port.postMessage(message),
  (error: Error) => {
    // The uncaught exception ends this thread and reaches the other side. It has no stack, because every frame of that
    // would repeat the data URL.
    throw new Error(error.message);
  },
);
