// Runs the programs that the set-up needs. It uses Node builtins only, since it runs before any package is installed.
import { spawn } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** The failure of a step: the command, the reason and the remedy. `setup` adds the name of the step. */
export class StepError extends Error {
  constructor(why, { command = null, remedies = [], output = '' } = {}) {
    super(why);
    this.command = command;
    this.remedies = remedies;
    this.output = output;
  }
}

/** The failure of a command with all its output; the step turns it into a `StepError`. */
export class CommandError extends Error {
  constructor(command, ending, output) {
    super(`${command} ${ending}`);
    this.command = command;
    this.ending = ending;
    this.output = output;
  }
}

/** Returns the path of a program on PATH, or null. */
export function which(program) {
  for (const directory of (process.env.PATH ?? '').split(delimiter)) {
    const path = join(directory, program);
    if (directory !== '' && isExecutable(path)) return path;
  }
  return null;
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch (error) {
    if (['ENOENT', 'EACCES', 'ENOTDIR', 'ELOOP'].includes(error.code)) return false;
    throw error;
  }
}

/**
 * Runs a program to its end and returns its output. With `verbose` the output also goes to stderr as it comes.
 * Otherwise nothing is shown, and `onLine` may turn lines into progress.
 */
export function runCommand(program, args, { cwd, env = process.env, verbose = false, onLine = null }) {
  const command = [program === process.execPath ? 'node' : program, ...args].join(' ');
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    const chunks = [];
    const collect = (chunk) => {
      chunks.push(chunk);
      if (verbose) process.stderr.write(chunk);
      for (const line of chunk.toString().split('\n')) onLine?.(line);
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    child.on('error', (error) => reject(new CommandError(command, `could not be started: ${error.message}`, '')));
    child.on('close', (code, signal) => {
      const output = Buffer.concat(chunks).toString();
      if (code === 0) resolve(output);
      else reject(new CommandError(command, signal ? `was ended by ${signal}` : `ended with status ${code}`, output));
    });
  });
}

const NETWORK = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|NewConnectionError|name resolution/i;
const DISK = /ENOSPC|No space left on device/i;

/** Runs a command and explains its failure; `symptoms` are [pattern of the output, why, what to do]. */
export async function runExplained(program, args, { symptoms = [], verbose = false, ...options }) {
  try {
    return await runCommand(program, args, { verbose, ...options });
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    const known = [
      ...symptoms,
      [DISK, 'the disk is full', 'free some space and run this again'],
      [NETWORK, 'the network or the package registry cannot be reached', 'check the connection and proxy settings'],
    ].find(([pattern]) => pattern.test(error.output));
    throw new StepError(known ? `${known[1]} (the command ${error.ending})` : `the command ${error.ending}`, {
      command: error.command,
      remedies: known ? [known[2]] : ['read its output above'],
      output: verbose ? '' : error.output,
    });
  }
}
