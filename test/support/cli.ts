/** Runs the built command line, with the output of each command and its exit status. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
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
  cwd?: string;
  /** Called with the process while it runs. */
  during?: (child: ChildProcess) => void;
}

/** Read by this package's JavaScript only, so that a thread can have them to itself. */
const OWN = /^BRAIN3D_/;

/**
 * A command in a thread of the file's command host, which takes a third of the time that a process takes. What a thread
 * cannot have, signals, an input and an environment that the system's libraries read, is given to a process.
 */
export function brain3d(args: string[], options: CliOptions = {}): Promise<CliResult> {
  const { env = {}, stdin, cwd = process.cwd(), during } = options;
  if (during !== undefined || stdin !== undefined || !Object.keys(env).every((key) => OWN.test(key)))
    return runProcess(args, options);
  const result = last.then(() => askHost({ args, cwd, env: { ...process.env, ...env } }));
  last = result.catch(() => undefined);
  return result;
}

let host: ChildProcess | undefined;
/** Commands come one after the other. */
let last: Promise<unknown> = Promise.resolve();
afterAll(async () => {
  if (host === undefined) return;
  const ended = once(host, 'exit');
  host.kill();
  await ended;
});

function askHost(command: { args: string[]; cwd: string; env: NodeJS.ProcessEnv }): Promise<CliResult> {
  return new Promise((done, reject) => {
    host ??= spawn(process.execPath, [join(ROOT, 'test/support/command-host.mjs')], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    const asked = host;
    const onEnd = (code: number | null, signal: string | null): void => {
      host = undefined;
      reject(new Error(`the command host ended with ${signal ?? code} while it ran ${command.args.join(' ')}`));
    };
    asked.once('exit', onEnd);
    asked.once('message', (result) => {
      asked.off('exit', onEnd);
      done(result as CliResult);
    });
    asked.send(command);
  });
}

/** The command in a process of its own, as its users run it. */
function runProcess(args: string[], { env, stdin, cwd, during }: CliOptions): Promise<CliResult> {
  return new Promise((done, reject) => {
    const child = spawn(process.execPath, [join(ROOT, 'dist', 'cli.js'), ...args], {
      cwd,
      env: { ...process.env, ...env },
    });
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
