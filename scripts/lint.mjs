#!/usr/bin/env node
// Runs every check that does not run the product: by `npm run lint`, and as part of `npm test`, where each check counts
// as one test. `npm run format` (--fix) rewrites what a tool can correct by itself.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { exitOnStepError, ROOT, setup } from './setup.mjs';
import { CommandError, runCommand } from './steps/command.mjs';
import { filesUnder } from './steps/stamp.mjs';

const NODE = process.execPath;

/** Each check has a name and arguments of node; `fix` replaces them under --fix. A quick one is part of `--changed`. */
function checks() {
  const sources = ['native', 'test/native']
    .flatMap((directory) => filesUnder(join(ROOT, directory)))
    .filter((file) => /\.(h|cpp|cu|cuh)$/.test(file));
  const biome = 'node_modules/@biomejs/biome/bin/biome';
  const clangFormat = 'node_modules/clang-format/index.js';
  const tsc = 'node_modules/typescript/bin/tsc';
  return [
    { name: 'biome', isQuick: true, args: [biome, 'check', '--error-on-warnings'], fix: [biome, 'check', '--write'] },
    {
      name: 'clang-format',
      args: [clangFormat, '--style=file', '--dry-run', '-Werror', ...sources],
      fix: [clangFormat, '--style=file', '-i', ...sources],
    },
    { name: 'types of lib', isQuick: true, args: [tsc, '-p', 'tsconfig.json', '--noEmit'] },
    { name: 'types of test', isQuick: true, args: [tsc, '-p', 'tsconfig.test.json'] },
    { name: 'layers', isQuick: true, args: ['tools/check_layers.mjs'] },
    { name: 'file sizes', args: ['tools/check_sizes.mjs'] },
    { name: 'publint', args: ['node_modules/publint/src/cli.js', '--strict'] },
  ];
}

/** Runs every check (or the quick ones), also after a failure; and returns how many passed and failed. */
export async function lint({ fix = false, quick = false } = {}) {
  const counts = { passed: 0, failed: 0 };
  for (const check of checks().filter(({ isQuick }) => isQuick || !quick)) {
    const started = performance.now();
    const failure = await run(check, fix);
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    if (failure === null) {
      counts.passed += 1;
      console.log(`lint: ${check.name}: ok (${seconds} s)`);
    } else {
      counts.failed += 1;
      console.log(`${failure}\nlint: ${check.name}: FAILED (${seconds} s)`);
    }
  }
  return counts;
}

/** Returns null, or the output of the failure. */
async function run(check, fix) {
  try {
    await runCommand(NODE, fix && check.fix ? check.fix : check.args, { cwd: ROOT });
    return null;
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    return `${error.output.trimEnd()}\n${error.command.slice(0, 200)} ${error.ending}`;
  }
}

async function main(args) {
  const unknown = args.find((arg) => arg !== '--fix');
  if (unknown !== undefined) {
    console.error(`lint: unknown option ${unknown}; known is --fix`);
    process.exitCode = 2;
    return;
  }
  await setup({ quiet: true, upTo: 'TypeScript' });
  const { failed } = await lint({ fix: args.includes('--fix') });
  if (failed > 0) process.exitCode = 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await exitOnStepError(() => main(process.argv.slice(2)));
