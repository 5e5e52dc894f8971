/**
 * Writes to stdout and stderr. The work goes on whatever happens to them, and its outcome decides the exit status. A
 * lost result is a failure, unless its reader has left.
 */
import { fstatSync, writeSync } from 'node:fs';

type Name = 'stdout' | 'stderr';
const FAILURE = 1;
const STDOUT = 1;

/** Streams that take no more text. */
const closed = new Set<Name>();

/** Must be called before anything is written: an error of a stream without a listener would end the process. */
export function guardStreams(): void {
  for (const name of ['stdout', 'stderr'] as const)
    process[name].on('error', (error: NodeJS.ErrnoException) => close(name, error));
}

/** Writes a part of a result. */
export function writeOut(text: string): void {
  if (closed.has('stdout')) return;
  try {
    if (isFile()) writeWhole(Buffer.from(text));
    else process.stdout.write(text);
  } catch (error) {
    close('stdout', error as NodeJS.ErrnoException);
  }
}

/** Writes anything that is no result. */
export function writeErr(text: string): void {
  if (closed.has('stderr')) return;
  try {
    process.stderr.write(text);
  } catch (error) {
    close('stderr', error as NodeJS.ErrnoException);
  }
}

let isFileCached: boolean | undefined;

/** Whether stdout is a file or a device, but no terminal. */
function isFile(): boolean {
  isFileCached ??= !process.stdout.isTTY && (fstatSync(STDOUT).isFile() || fstatSync(STDOUT).isCharacterDevice());
  return isFileCached;
}

/**
 * Writes all bytes. A disk that fills up takes a part of a text without an error, which Node's own stream does not
 * notice.
 */
function writeWhole(bytes: Uint8Array): void {
  for (let begin = 0; begin < bytes.length; ) begin += writeSync(STDOUT, bytes, begin);
}

function close(name: Name, { code, message }: NodeJS.ErrnoException): void {
  if (closed.has(name)) return;
  closed.add(name);
  // A reader that has read enough, such as `head`, is no failure; and an error of stderr cannot be reported to anybody.
  if (name === 'stderr' || code === 'EPIPE') return;
  process.exitCode ||= FAILURE;
  writeErr(`brain3d: stdout cannot be written, so that its text is not complete: ${code ?? message} [BRAIN3D_IO]\n`);
}
