#!/usr/bin/env node
// Makes a checkout ready to run: npm packages, TypeScript, LibTorch, native addon. `npm run build`, the demo, test and
// bench scripts call `setup` first. It works on a fresh clone, since it imports only Node builtins.
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { StepError } from './steps/command.mjs';
import { libtorch } from './steps/libtorch.mjs';
import { native } from './steps/native.mjs';
import { packages } from './steps/packages.mjs';
import { parsers } from './steps/parsers.mjs';
import { Progress } from './steps/progress.mjs';
import { typescript } from './steps/typescript.mjs';

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

const STEPS = [packages, typescript, libtorch, native];
/** The steps that only the tests need come last. */
const TEST_STEPS = [parsers];
const OLDEST_NODE = [20, 17];

/**
 * Runs the steps that are not up to date and returns what they found out (`libtorch`). The options are:
 * - tests: also builds the C++ tests
 * - debug: compiles without optimisation, with assertions
 * - verbose: shows all output
 * - quiet: is silent about steps that are up to date
 * - upTo: the name of the last step wanted
 * Throws a `StepError` that is already reported; `exitOnStepError` ends the process for it.
 */
export async function setup({ tests = false, debug = false, verbose = false, quiet = false, upTo = null } = {}) {
  const steps = tests ? [...STEPS, ...TEST_STEPS] : STEPS;
  const last = upTo === null ? steps.length : steps.findIndex(({ name }) => name === upTo) + 1;
  const context = { root: ROOT, tests, debug, verbose, progress: null, libtorch: null };
  for (const [index, step] of steps.slice(0, last).entries()) {
    const progress = new Progress(`[${index + 1}/${last}] ${step.name}`, verbose);
    if (step.isUpToDate(context)) {
      if (!quiet) progress.finish('up to date');
      continue;
    }
    try {
      requireNode();
      progress.start(step.doing);
      progress.finish('done', await step.run(Object.assign(context, { progress })));
    } catch (error) {
      progress.fail(error);
      throw error;
    }
  }
  return { libtorch: context.libtorch };
}

/** Runs `main`. If a step fails, the failure has been reported, and the process ends with status 1. */
export async function exitOnStepError(main) {
  try {
    await main();
  } catch (error) {
    if (!(error instanceof StepError)) throw error;
    process.exitCode = 1;
  }
}

function requireNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1])) return;
  throw new StepError(`Node ${process.versions.node} is too old`, {
    remedies: [`install Node ${OLDEST_NODE.join('.')} or newer`],
  });
}

async function main(args) {
  const known = { '--debug': 'debug', '--tests': 'tests', '--verbose': 'verbose', '-v': 'verbose' };
  const unknown = args.filter((arg) => !(arg in known));
  if (unknown.length > 0) {
    console.error(`setup: unknown option ${unknown[0]}; known are ${Object.keys(known).join(', ')}`);
    process.exitCode = 2;
    return;
  }
  await setup(Object.fromEntries(args.map((arg) => [known[arg], true])));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await exitOnStepError(() => main(process.argv.slice(2)));
