// Runs the parsers' tests and replays the fuzzing corpora, both under sanitizers.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { PARSERS_DIR } from '../steps/parsers.mjs';
import { runDoctest } from './doctest.mjs';

const LIMIT_MS = 10 * 60_000;

/** Results of both; each corpus counts as one test. `filter` is a doctest pattern: with one, nothing is replayed. */
export async function runParsers(root, filter = null) {
  // Half-read memory that nobody frees would be found by the leak check at the end of the program.
  process.env.ASAN_OPTIONS ??= 'detect_leaks=1:quarantine_size_mb=16';
  process.env.UBSAN_OPTIONS ??= 'print_stacktrace=1';
  const tests = await runDoctest(root, filter, join('parsers', 'parser_tests'));
  return filter === null ? [tests, replay(root)] : [tests];
}

function replay(root) {
  const program = join(root, PARSERS_DIR, 'fuzz_replay');
  const result = spawnSync(program, [join(root, 'test', 'fuzz', 'corpus')], { encoding: 'utf8', timeout: LIMIT_MS });
  process.stdout.write(result.stdout ?? '');
  const passed = (result.stdout ?? '').match(/^replayed /gm)?.length ?? 0;
  if (result.status === 0) return { passed, failed: 0, skipped: [], unexplained: [] };
  console.log(`fuzz_replay: ended with ${result.signal ?? result.status ?? result.error?.message}\n${result.stderr}`);
  return { passed, failed: 1, skipped: [], unexplained: [] };
}
