// Runs the parsers' tests, replays the fuzzing corpora and lets memory run out while they read, all under sanitizers.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { PARSERS_DIR } from '../steps/parsers.mjs';
import { runDoctest } from './doctest.mjs';

const LIMIT_MS = 60 * 60_000;

/** Returns the results of all; each corpus and each file counts as one test. `filters` are doctest's; with any, only
 * tests run. */
export async function runParsers(root, filters = []) {
  // The leak check at the end of the program finds half-read memory that nobody frees.
  process.env.ASAN_OPTIONS ??= 'detect_leaks=1:quarantine_size_mb=16';
  process.env.UBSAN_OPTIONS ??= 'print_stacktrace=1';
  const tests = await runDoctest(root, filters, join('parsers', 'parser_tests'));
  if (filters.length > 0) return [tests];
  return [
    tests,
    run(root, 'fuzz_replay', join('test', 'fuzz', 'corpus'), /^replayed /gm),
    run(root, 'allocation_faults', 'test', /^failed allocations /gm),
  ];
}

/**
 * Runs a program that prints one line that fits `line` for each test that it passes, and stops at the first that fails.
 */
function run(root, name, directory, line) {
  const program = join(root, PARSERS_DIR, name);
  const result = spawnSync(program, [join(root, directory)], { encoding: 'utf8', timeout: LIMIT_MS });
  process.stdout.write(result.stdout ?? '');
  const passed = (result.stdout ?? '').match(line)?.length ?? 0;
  if (result.status === 0) return { passed, failed: 0, skipped: [], unexplained: [] };
  console.log(`${name}: ended with ${result.signal ?? result.status ?? result.error?.message}\n${result.stderr}`);
  return { passed, failed: 1, skipped: [], unexplained: [] };
}
