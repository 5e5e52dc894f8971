/** Child processes running a script against the built package: how a process ends is what lifecycle tests check. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';

export const ROOT = join(__dirname, '..', '..');
export const MODEL = join(ROOT, 'models/tiny/checkpoint');
export const SAMPLE = join(ROOT, 'assets/colin27_t1_2mm.nii.gz');

/** JSON that a test takes apart or spoils: its shape is the test's business. */
// biome-ignore lint/suspicious/noExplicitAny: a checked type would have to be cast at every use
export type Loose = any;

export interface Ending {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/**
 * Runs ESM source with `brain3d` importable and MODEL, SAMPLE in scope. Resolves however it ends; kills it, and rejects,
 * after `limitMs`.
 */
export function runScript(source: string, nodeArgs: string[] = [], limitMs = 60_000): Promise<Ending> {
  const prelude = `
    import * as brain3d from 'brain3d';
    const { Brain3D, Volume, loadVolume, preprocess } = brain3d;
    const MODEL = ${JSON.stringify(MODEL)}, SAMPLE = ${JSON.stringify(SAMPLE)};
    const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  `;
  return runNode([...nodeArgs, '--input-type=module', '--eval', prelude + source], limitMs);
}

export function runNode(args: string[], limitMs = 60_000, input = ''): Promise<Ending> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd: ROOT });
    const out = { stdout: '', stderr: '' };
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`the child did not end within ${limitMs} ms; stdout: ${out.stdout}; stderr: ${out.stderr}`));
    }, limitMs);
    child.stdout.on('data', (chunk) => {
      out.stdout += chunk;
    });
    child.stderr.on('data', (chunk) => {
      out.stderr += chunk;
    });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ code, signal, ...out });
    });
    child.stdin.end(input);
  });
}

/** An ending with status 0 and nothing on stderr, its stdout parsed as JSON. */
export function parsed(ending: Ending): Loose {
  if (ending.code !== 0 || ending.signal !== null) throw new Error(`ended with ${JSON.stringify(ending)}`);
  return JSON.parse(ending.stdout.trim().split('\n').at(-1) ?? '');
}
