/**
 * Writing to stdout and stderr. Whatever happens to them, the work goes on and its outcome decides the exit status; only
 * a result that was lost for another reason than that its reader left is a failure.
 */
import { fstatSync, writeSync } from 'node:fs';

type Name = 'stdout' | 'stderr';
const FAILURE = 1;
const STDOUT = 1;

/** Streams that take no more text. */
const closed = new Set<Name>();

/** To be called before anything is written: an error of a stream that nobody listens to would end the process. */
export function guardStreams(): void {
  for (const name of ['stdout', 'stderr'] as const)
    process[name].on('error', (error: NodeJS.ErrnoException) => close(name, error));
}

/** A part of a result. */
export function writeOut(text: string): void {
  if (closed.has('stdout')) return;
  try {
    if (isFile()) writeWhole(Buffer.from(text));
    else process.stdout.write(text);
  } catch (error) {
    close('stdout', error as NodeJS.ErrnoException);
  }
}

/** Anything that is no result. */
export function writeErr(text: string): void {
  if (closed.has('stderr')) return;
  try {
    process.stderr.write(text);
  } catch (error) {
    close('stderr', error as NodeJS.ErrnoException);
  }
}

let isFileCached: boolean | undefined;

/** Files and devices, but for terminals. */
function isFile(): boolean {
  isFileCached ??= !process.stdout.isTTY && (fstatSync(STDOUT).isFile() || fstatSync(STDOUT).isCharacterDevice());
  return isFileCached;
}

/** A disk that fills up takes a part of a text without an error, which Node's own stream does not notice. */
function writeWhole(bytes: Uint8Array): void {
  for (let begin = 0; begin < bytes.length; ) begin += writeSync(STDOUT, bytes, begin);
}

function close(name: Name, { code, message }: NodeJS.ErrnoException): void {
  if (closed.has(name)) return;
  closed.add(name);
  // Who has read enough, as `head` has, is no failure; and of stderr there is nobody to tell.
  if (name === 'stderr' || code === 'EPIPE') return;
  process.exitCode ||= FAILURE;
  writeErr(`brain3d: stdout cannot be written, so that its text is not complete: ${code ?? message} [BRAIN3D_IO]\n`);
}
