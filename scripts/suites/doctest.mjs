// Runs the C++ tests and counts their cases.
import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';

/** The last lines of doctest, such as `  12 passed | 0 failed | 3 skipped`. */
const SUMMARY = /\[doctest\] test cases:\s*\d+ \|\s*(\d+) passed \|\s*(\d+) failed \|(?:\s*(\d+) skipped)?/;
/** The line that a test case prints when it finds at run time that it cannot run here. */
const SKIP_LINE = /^\[skipped\] (.+)$/gm;
/** The time limit in ms, many times what the tests need. A test that hangs must fail before the user gives up. */
const LIMIT_MS = 60 * 60_000;

/** Runs a doctest program of build/; `filters` are its options that select cases. Output is shown as it comes. */
export async function runDoctest(root, filters = [], program = 'brain3d_tests') {
  const binary = join(root, 'build', program);
  const { output, code, signal } = await runShown(binary, ['--no-colors=true', ...filters], root);
  const summary = SUMMARY.exec(output);
  if (summary === null) {
    console.log(`doctest: ${signal ? `ended by ${signal}` : `ended with status ${code}`} before its summary`);
    return { passed: 0, failed: 1, skipped: [], unexplained: [] };
  }
  const [passed, failed] = [Number(summary[1]), Number(summary[2])];
  const atRunTime = [...output.matchAll(SKIP_LINE)].map(([, reason]) => reason);
  const decorated = filters.length === 0 && Number(summary[3] ?? 0) > 0 ? skippedCases(binary, root) : [];
  return {
    passed: passed - atRunTime.length,
    // A crash after the summary (in a destructor, say) is a failure too.
    failed: failed === 0 && code !== 0 ? 1 : failed,
    skipped: [...atRunTime, ...decorated],
    unexplained: decorated.filter((name) => !/\(skipped: .+\)/.test(name)),
  };
}

function runShown(binary, args, cwd) {
  return new Promise((resolve) => {
    // On SIGABRT doctest names the case that was running.
    const limit = { timeout: LIMIT_MS, killSignal: 'SIGABRT' };
    const child = spawn(binary, args, { cwd, stdio: ['ignore', 'pipe', 'inherit'], ...limit });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text) => {
      output += text;
      process.stdout.write(text);
    });
    child.on('error', (error) => resolve({ output: '', code: error.message, signal: null }));
    child.on('close', (code, signal) => resolve({ output, code, signal }));
  });
}

/** Returns the names of the cases decorated with doctest::skip(). */
function skippedCases(binary, cwd) {
  const { stdout } = spawnSync(binary, ['--list-test-cases', '--reporters=xml', '--no-skip'], {
    cwd,
    encoding: 'utf8',
  });
  return [...stdout.matchAll(/<TestCase name="([^"]*)"[^>]*skipped="true"/g)].map(([, name]) => name);
}
