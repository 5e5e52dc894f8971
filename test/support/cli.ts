/** Runs the built command line as its users do. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join, resolve } from 'node:path';

export const ROOT = resolve(__dirname, '..', '..');
export const SAMPLE = join(ROOT, 'assets', 'colin27_t1_2mm.nii.gz');
export const TINY_MODEL = join(ROOT, 'models', 'tiny', 'checkpoint');

export interface CliResult {
  status: number | null;
  stdout: string;
  stderr: string;
}

export interface CliOptions {
  env?: NodeJS.ProcessEnv;
  stdin?: string;
  /** Called with the process while it runs. */
  during?: (child: ChildProcess) => void;
}

export function brain3d(args: string[], { env, stdin, during }: CliOptions = {}): Promise<CliResult> {
  return new Promise((done, reject) => {
    const child = spawn(process.execPath, [join(ROOT, 'dist', 'cli.js'), ...args], { env: { ...process.env, ...env } });
    const result: CliResult = { status: null, stdout: '', stderr: '' };
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      result.stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      result.stderr += text;
    });
    child.on('error', reject);
    child.on('close', (status) => done({ ...result, status }));
    child.stdin.end(stdin ?? '');
    during?.(child);
  });
}
