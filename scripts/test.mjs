#!/usr/bin/env node
// `npm test` builds what is missing, then runs lint, the C++ tests, the parsers under sanitizers and the TypeScript
// tests. The last line is the sum: `N passed, N failed, N skipped`.
//   npm test                                  everything
//   npm test -- test/lib/volume/volume.test.ts [-t name] that file only: arguments go to jest
//   npm test -- --native ['*pattern*']        the C++ tests only, also those of the parsers under sanitizers
import { fileURLToPath } from 'node:url';
import { lint } from './lint.mjs';
import { exitOnStepError, ROOT, setup } from './setup.mjs';
import { StepError } from './steps/command.mjs';
import { runDoctest } from './suites/doctest.mjs';
import { runJest } from './suites/jest.mjs';
import { runParsers } from './suites/parsers.mjs';

async function main(args) {
  const isNativeOnly = args[0] === '--native';
  const isJestOnly = args.length > 0 && !isNativeOnly;
  try {
    await setup({ tests: !isJestOnly, quiet: args.length > 0 });
  } catch (error) {
    if (error instanceof StepError) console.log('0 passed, 1 failed, 0 skipped');
    throw error;
  }
  const results = [];
  if (args.length === 0) results.push({ ...(await lint()), skipped: [], unexplained: [] });
  if (!isJestOnly) results.push(await runDoctest(ROOT, args[1] ?? null), ...(await runParsers(ROOT, args[1] ?? null)));
  if (!isNativeOnly) results.push(await runJest(ROOT, args));
  process.exitCode = report(results) ? 0 : 1;
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
