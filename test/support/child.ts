/** Runs a script against the built package in a child process, so that tests can check how a process ends. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { HANG_MS } from './limits';

export const ROOT = join(__dirname, '..', '..');
export const MODEL = join(ROOT, 'models/tiny/checkpoint');
export const SAMPLE = join(ROOT, 'assets/colin27_t1_2mm.nii.gz');

/** JSON that a test takes apart or spoils, so its shape is left to the test. */
// biome-ignore lint/suspicious/noExplicitAny: a checked type would have to be cast at every use
export type Loose = any;

export interface Ending {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/**
 * Runs ESM source with `brain3d` importable and MODEL, SAMPLE in scope. Resolves however it ends; kills it, and
 * rejects, after `limitMs`.
 */
export function runScript(source: string, nodeArgs: string[] = [], limitMs = HANG_MS): Promise<Ending> {
  const prelude = `
    import * as brain3d from 'brain3d';
    const { Brain3D, Volume, loadVolume, preprocess } = brain3d;
    const MODEL = ${JSON.stringify(MODEL)}, SAMPLE = ${JSON.stringify(SAMPLE)};
    const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  `;
  return runNode([...nodeArgs, '--input-type=module', '--eval', prelude + source], limitMs);
}

export async function runNode(args: string[], limitMs = HANG_MS, input = ''): Promise<Ending> {
  const child = spawn(process.execPath, args, { cwd: ROOT });
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    child.kill('SIGKILL');
  }, limitMs);
  child.stdin.end(input);
  const ending = await endingOf(child).finally(() => clearTimeout(timer));
  if (isLate) throw new Error(`the child did not end within ${limitMs} ms: ${JSON.stringify(ending)}`);
  return ending;
}

/** Returns how a child ends, with its output until then. */
export function endingOf(child: ChildProcess): Promise<Ending> {
  const out = { stdout: '', stderr: '' };
  child.stdout?.on('data', (chunk) => {
    out.stdout += chunk;
  });
  child.stderr?.on('data', (chunk) => {
    out.stderr += chunk;
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, ...out }));
  });
}

/** Returns the last line on stdout, parsed as JSON, of a child that ended with status 0. */
export function parsed(ending: Ending): Loose {
  if (ending.code !== 0 || ending.signal !== null) throw new Error(`ended with ${JSON.stringify(ending)}`);
  return JSON.parse(ending.stdout.trim().split('\n').at(-1) ?? '');
}
