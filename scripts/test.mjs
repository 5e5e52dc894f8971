#!/usr/bin/env node
// `npm test` builds what is missing, then runs lint, the C++ tests, the parsers under sanitizers and the TypeScript
// tests. The last line is the sum: `N passed, N failed, N skipped`.
//   npm test                                  everything
//   npm test -- test/lib/volume/volume.test.ts [-t name] that file only: arguments go to jest
//   npm test -- --native ['*pattern*']        the C++ tests only, also those of the parsers under sanitizers
//   npm test -- --changed[=REF]               what the changes since REF (HEAD) can affect, the nearest first
import { fileURLToPath } from 'node:url';
import { lint } from './lint.mjs';
import { exitOnStepError, ROOT, setup } from './setup.mjs';
import { StepError } from './steps/command.mjs';
import { partsOfChange } from './suites/changed.mjs';
import { runDoctest } from './suites/doctest.mjs';
import { lastSeconds, runJest } from './suites/jest.mjs';
import { runParsers } from './suites/parsers.mjs';

async function main(args) {
  const parts = await partsOf(args);
  try {
    await setup({ tests: parts.native !== null, quiet: args.length > 0 });
  } catch (error) {
    if (error instanceof StepError) console.log('0 passed, 1 failed, 0 skipped');
    throw error;
  }
  const results = [];
  if (parts.lint !== null) results.push({ ...(await lint(parts.lint)), skipped: [], unexplained: [] });
  if (parts.native !== null)
    results.push(await runDoctest(ROOT, parts.native), ...(await runParsers(ROOT, parts.native)));
  if (parts.jest !== null) results.push(await runJest(ROOT, parts.jest));
  process.exitCode = report(results) ? 0 : 1;
}

/** Chooses what runs: options of lint, of doctest and of jest, and null for each that does not run. */
async function partsOf(args) {
  if (args.length === 0) return { lint: {}, native: [], jest: [] };
  const changed = /^--changed(?:=(.+))?$/.exec(args[0]);
  if (changed) return partsOfChange(ROOT, changed[1] ?? 'HEAD', lastSeconds(ROOT));
  if (args[0] !== '--native') return { lint: null, native: null, jest: args };
  return { lint: null, native: args[1] === undefined ? [] : [`--test-case=${args[1]}`], jest: null };
}

/** A test that is skipped without a reason counts as failed. */
function report(results) {
  for (const { skipped, unexplained } of results) {
    for (const title of skipped) console.log(`skipped: ${title}`);
    for (const title of unexplained) console.log(`FAILED: "${title}" is skipped without "(skipped: why)" in its title`);
  }
  const sum = (number) => results.reduce((total, result) => total + number(result), 0);
  const passed = sum((result) => result.passed);
  const failed = sum((result) => result.failed + result.unexplained.length);
  const skipped = sum((result) => result.skipped.length - result.unexplained.length);
  console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
  return failed === 0 && passed > 0;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await exitOnStepError(() => main(process.argv.slice(2)));
