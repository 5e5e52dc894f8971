#!/usr/bin/env node
// `npm run coverage:parsers` measures by gcov how much of the parsers (native/io and the readers of config.json) their
// tests, the committed fuzzing corpus and the failed allocations reach: lines, and branches except those that only an
// exception takes. It fails below the bars. `-- --uncovered` lists what is not reached. It needs GCC and builds in
// build/coverage.
import { spawnSync } from 'node:child_process';
import { readdirSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, relative } from 'node:path';
import { ROOT } from './setup.mjs';
import { runExplained, StepError } from './steps/command.mjs';

const BUILD = join(ROOT, 'build', 'coverage');
const BARS = { lines: 95, branches: 90 };
/** The files that are measured. The headers of the standard library and the vendored ones are not. */
const MEASURED = /^native\/(io\/\w+|models\/(json_fields|\w+_config))\.(cpp|h)$/;
const RUNS = [
  ['parser_tests', []],
  ['fuzz_replay', [join(ROOT, 'test', 'fuzz', 'corpus')]],
  ['allocation_faults', [join(ROOT, 'test')]],
];

async function build() {
  await runExplained('cmake', ['-S', join(ROOT, 'test', 'fuzz'), '-B', BUILD, '-DBRAIN3D_COVERAGE=ON'], { cwd: ROOT });
  const jobs = process.env.CMAKE_BUILD_PARALLEL_LEVEL ?? String(availableParallelism());
  await runExplained('cmake', ['--build', BUILD, '-j', jobs], { cwd: ROOT });
}

const filesBelow = (directory, ending) =>
  readdirSync(directory, { recursive: true })
    .filter((name) => name.endsWith(ending))
    .map((name) => join(directory, name));

function run(program, args) {
  const { status, signal, stdout, stderr } = spawnSync(join(BUILD, program), args, { cwd: ROOT, encoding: 'utf8' });
  if (status !== 0) throw new StepError(`${program} ended with ${signal ?? status}`, { output: `${stdout}${stderr}` });
}

/**
 * Gathers the runs of each line and branch: file -> line -> { count, branches }. A line that several object files or
 * instances of a template have counts as one line, and its branches as the same if there are equally many.
 */
function gather() {
  const files = new Map();
  for (const data of filesBelow(BUILD, '.gcda').filter((path) => /native\/(io|models)\//.test(path))) {
    const { status, stdout, stderr } = spawnSync(
      'gcov',
      ['--json-format', '--stdout', '--branch-probabilities', data],
      {
        cwd: BUILD,
        encoding: 'utf8',
        maxBuffer: 2 ** 30,
      },
    );
    if (status !== 0) throw new StepError('gcov failed', { output: stderr });
    for (const file of JSON.parse(stdout).files) add(files, file);
  }
  return files;
}

function add(files, { file, lines }) {
  const name = relative(ROOT, file);
  if (!MEASURED.test(name)) return;
  const known = files.get(name) ?? new Map();
  files.set(name, known);
  for (const { line_number: number, count, branches } of lines) {
    const taken = branches.filter(({ throw: isThrow }) => !isThrow).map((branch) => branch.count);
    const line = known.get(number) ?? { count: 0, branches: [] };
    known.set(number, line);
    line.count += count;
    // Instances of a template may differ in branches; of two lists the longer one's are counted.
    const [longer, shorter] = taken.length > line.branches.length ? [taken, line.branches] : [line.branches, taken];
    line.branches = longer.map((runs, index) => runs + (shorter[index] ?? 0));
  }
}

const percent = (part, whole) => (whole === 0 ? 100 : (100 * part) / whole);

function sumOf(lines) {
  const all = [...lines];
  const branches = all.flatMap((line) => line.branches);
  return {
    lines: all.length,
    reached: all.filter(({ count }) => count > 0).length,
    branches: branches.length,
    taken: branches.filter((runs) => runs > 0).length,
  };
}

function print(name, { lines, reached, branches, taken }) {
  const cell = (part, whole) => `${`${part}/${whole}`.padStart(11)} ${percent(part, whole).toFixed(1).padStart(6)} %`;
  console.log(`${name.padEnd(36)} lines ${cell(reached, lines)}  branches ${cell(taken, branches)}`);
}

async function main(args) {
  await build();
  for (const old of filesBelow(BUILD, '.gcda')) rmSync(old);
  for (const [program, given] of RUNS) run(program, given);
  const files = new Map([...gather()].sort(([a], [b]) => (a < b ? -1 : 1)));
  for (const [name, lines] of files) print(name, sumOf(lines.values()));
  const all = sumOf([...files.values()].flatMap((lines) => [...lines.values()]));
  print('all', all);
  if (args.includes('--uncovered')) {
    for (const [name, lines] of files)
      for (const [number, { count, branches }] of [...lines].sort(([a], [b]) => a - b)) {
        const missed = branches.filter((runs) => runs === 0).length;
        if (count === 0) console.log(`${name}:${number}: not reached`);
        else if (missed > 0) console.log(`${name}:${number}: ${missed} of ${branches.length} branches not taken`);
      }
  }
  const isEnough =
    percent(all.reached, all.lines) >= BARS.lines &&
    percent(all.taken, all.branches) >= BARS.branches &&
    files.size > 0;
  if (!isEnough) console.log(`expected at least ${BARS.lines} % of the lines and ${BARS.branches} % of the branches`);
  process.exitCode = isEnough ? 0 : 1;
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof StepError)) throw error;
  console.error([`coverage: ${error.message}`, ...error.remedies, error.output].filter(Boolean).join('\n'));
  process.exitCode = 1;
}
