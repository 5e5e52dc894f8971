// Runs jest and counts its tests.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

/**
 * The time limit in ms, many times what all tests need. jest's own limit cannot end a test that blocks its thread in
 * native code.
 */
const LIMIT_MS = 180 * 60_000;

/** Runs jest. `args` are passed to it unchanged; with any, only the selected tests run. */
export async function runJest(root, args = []) {
  const resultFile = join(root, 'build', 'jest-results.json');
  mkdirSync(dirname(resultFile), { recursive: true });
  rmSync(resultFile, { force: true });
  const ending = await run(root, ['--json', `--outputFile=${resultFile}`, ...args]);
  if (!existsSync(resultFile)) {
    console.log(`jest: ${ending.text} without a result`);
    return { passed: 0, failed: 1, skipped: [], unexplained: [] };
  }
  const results = JSON.parse(readFileSync(resultFile, 'utf8'));
  keepSeconds(root, results, args);
  return count(root, results, ending, args.length > 0);
}

const secondsFile = (root) => join(root, 'build', 'jest-seconds.json');

/** Test file -> seconds that it took when it last ran here as a whole. */
export function lastSeconds(root) {
  return existsSync(secondsFile(root)) ? JSON.parse(readFileSync(secondsFile(root), 'utf8')) : {};
}

function keepSeconds(root, { testResults }, args) {
  if (args.some((arg) => arg.startsWith('-'))) return;
  const taken = testResults.map(({ name, startTime, endTime }) => [relative(root, name), (endTime - startTime) / 1000]);
  writeFileSync(secondsFile(root), JSON.stringify({ ...lastSeconds(root), ...Object.fromEntries(taken) }));
}

function run(root, args) {
  return new Promise((resolve) => {
    // The file gets the output of --json; the output for people is on stderr.
    const child = spawn(process.execPath, ['node_modules/jest/bin/jest.js', ...args], {
      cwd: root,
      stdio: ['ignore', 'ignore', 'inherit'],
      // Two workers share the cores: threads that spin while they wait for each other would take them from the rest.
      env: { OMP_WAIT_POLICY: 'passive', ...process.env },
      timeout: LIMIT_MS,
    });
    child.on('error', (error) => resolve({ ok: false, text: `could not be started (${error.message})` }));
    child.on('close', (code, signal) =>
      resolve({ ok: code === 0, text: signal ? `ended by ${signal}` : `ended with status ${code}` }),
    );
  });
}

function count(root, results, ending, isSelection) {
  let failed = results.numFailedTests;
  const skipped = [];
  for (const file of results.testResults) {
    const name = relative(root, file.name);
    // A file that crashed its worker or failed to load has no test results, yet it failed.
    if (file.status === 'failed' && !file.assertionResults.some(({ status }) => status === 'failed')) {
      console.log(`jest: ${name} failed as a whole`);
      failed += 1;
    }
    // `-t` leaves all other tests pending. They were not selected, and are not skipped.
    if (isSelection) continue;
    const left = file.assertionResults.filter(({ status }) => status === 'pending' || status === 'todo');
    skipped.push(...left.map(({ fullName }) => `${name}: ${fullName}`));
  }
  if (failed === 0 && !ending.ok) {
    console.log(`jest: ${ending.text} although no test failed`);
    failed = 1;
  }
  return {
    passed: results.numPassedTests,
    failed,
    skipped,
    unexplained: skipped.filter((title) => !/\(skipped: .+\)/.test(title)),
  };
}
