/** Runs the user's own tool for brain extraction, without a shell and in a private folder, and reports its failures. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, statSync } from 'node:fs';
import { basename, delimiter, join } from 'node:path';
import { Brain3DError } from '../base/errors';
import { digestFile } from '../files/digest';
import { withTemporaryFolder } from '../files/temporary-folder';
import { callNative } from '../native/call';
import type { NativeAddon, NativeVolume } from '../native/surface';

const PLACEHOLDERS = ['{in}', '{out}'];
const KILL_AFTER_MS = 3000;
const TAIL_BYTES = 8192;
const TAIL_LINES = 5;

/**
 * Splits a command line into the program and its arguments. White space separates them; single or double quotes group.
 * Nothing else is special, since there is no shell.
 * @throws {RangeError} without a program, with an open quote, or without `{in}` and `{out}`
 */
export function parseStripCommand(command: string): string[] {
  const words: string[] = [];
  for (const match of command.matchAll(/(?:[^\s"']|"[^"]*"|'[^']*')+|["']/g)) {
    if (match[0] === '"' || match[0] === "'") throw new RangeError(`expected closed quotes in '${command}'`);
    words.push(match[0].replace(/"([^"]*)"|'([^']*)'/g, (_all, double, single) => double ?? single));
  }
  for (const name of PLACEHOLDERS)
    if (!words.slice(1).some((word) => word.includes(name)))
      throw new RangeError(`expected a command with {in} and {out} among its arguments, got '${command}'`);
  return words;
}

/**
 * Returns a digest of the program and of all arguments that name a file, such as a script or weights, because another
 * version of the tool makes other masks. Files that the tool loads by itself are not seen. A missing program is left
 * for the run to report.
 * @throws {Brain3DError} BRAIN3D_IO
 */
export async function digestStripTool(command: string): Promise<string> {
  const [program, ...args] = parseStripCommand(command);
  const files = [inPath(program as string), ...args].filter(isFile);
  const hash = createHash('sha256');
  for (const file of files) hash.update(`${await digestFile(file)}\n`);
  return hash.digest('hex');
}

/** The path where the system would find a program. A name without a separator is looked for in PATH. */
function inPath(program: string): string {
  if (program.includes('/')) return program;
  const folders = (process.env.PATH ?? '').split(delimiter);
  return folders.map((folder) => join(folder, program)).find(isFile) ?? program;
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}

/**
 * Runs the tool on a volume. The tool finds the volume as NIfTI at `{in}` and writes a mask or a stripped image to
 * `{out}`.
 * @throws {Brain3DError} BRAIN3D_NOT_FOUND if there is no such program, BRAIN3D_IO if it fails or writes nothing, and
 *   what reading its output throws
 */
export async function runStripCommand(
  addon: NativeAddon,
  volume: NativeVolume,
  command: string,
  signal: AbortSignal | undefined,
): Promise<NativeVolume> {
  const words = parseStripCommand(command);
  return withTemporaryFolder(async (directory) => {
    const paths = { '{in}': join(directory, 'volume.nii.gz'), '{out}': join(directory, 'brain.nii.gz') };
    await callNative(addon, signal, (token) => addon.writeVolume(volume, paths['{in}'], 'float32', token));
    const [program, ...args] = words.map((word) => word.replace(/\{(?:in|out)\}/g, (name) => paths[name as '{in}']));
    const name = basename(program as string);
    const tail = await run(program as string, args, name, signal);
    if (!existsSync(paths['{out}']))
      throw new Brain3DError(
        'BRAIN3D_IO',
        `expected a volume at {out} from the skull-strip command '${name}', which ended well but wrote none; does it ` +
          `append an ending to the name?${tail}`,
      );
    const options = { volumeIndex: -1, orientation: '', overrideOrientation: false, preferAffine: '' };
    try {
      return await callNative(addon, signal, (token) => addon.readVolume(paths['{out}'], options, token));
    } catch (error) {
      // An error that named the output file would be taken for one about the scan, and its advice on options for
      // reading scans would be of no use.
      if (!Brain3DError.isInstance(error)) throw error;
      const { code, message, file, field, offset } = error;
      throw new Brain3DError(code, `what the skull-strip command '${name}' wrote cannot be read: ${message}`, {
        file,
        field,
        offset,
        cause: error,
      });
    }
  });
}

/** Resolves with the program's last output, for messages; rejects if it cannot be started or fails. */
async function run(program: string, args: string[], name: string, signal: AbortSignal | undefined): Promise<string> {
  signal?.throwIfAborted();
  // The program gets a process group of its own, so that the processes it starts end with it.
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  let said = '';
  const listen = (text: string): void => {
    said = (said + text).slice(-TAIL_BYTES);
  };
  child.stdout.setEncoding('utf8').on('data', listen);
  child.stderr.setEncoding('utf8').on('data', listen);
  const killNow = (): void => killGroup(child, 'SIGKILL');
  let lastResort: NodeJS.Timeout | undefined;
  const stop = (): void => {
    killGroup(child, 'SIGTERM');
    lastResort = setTimeout(killNow, KILL_AFTER_MS);
  };
  process.once('exit', killNow);
  signal?.addEventListener('abort', stop, { once: true });
  try {
    const [status, killedBy] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
      child.on('error', (cause: NodeJS.ErrnoException) => reject(notStarted(name, cause)));
      child.on('close', (code, by) => resolve([code, by]));
    });
    signal?.throwIfAborted();
    const tail = lastLines(said);
    if (status === 0) return tail;
    const how = status === null ? `was ended by ${killedBy}` : `ended with status ${status}`;
    throw new Brain3DError('BRAIN3D_IO', `the skull-strip command '${name}' ${how}${tail}`);
  } finally {
    clearTimeout(lastResort);
    process.off('exit', killNow);
    signal?.removeEventListener('abort', stop);
  }
}

function killGroup(child: ChildProcess, name: NodeJS.Signals): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  try {
    process.kill(-child.pid, name);
  } catch (error) {
    // ESRCH means that the program ended by itself in the meantime.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function notStarted(name: string, cause: NodeJS.ErrnoException): Brain3DError {
  if (cause.code === 'ENOENT')
    return new Brain3DError(
      'BRAIN3D_NOT_FOUND',
      `the skull-strip command '${name}' is not there; give a path, or a program that PATH has`,
      { cause },
    );
  return new Brain3DError('BRAIN3D_IO', `the skull-strip command '${name}' cannot be started (${cause.code})`, {
    cause,
  });
}

function lastLines(said: string): string {
  const lines = said.split(/[\r\n]+/).filter((line) => line.trim() !== '');
  return lines.length === 0 ? '' : `; it said last: ${lines.slice(-TAIL_LINES).join(' | ')}`;
}
