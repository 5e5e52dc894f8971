#!/usr/bin/env node
// Does the same thing thousands of times and looks whether memory, file descriptors or threads grow: `npm run soak`.
//   --only reports,cycles,aborts,refusals   --short   --scale 0.1   --out FILE
// Exits with 1 beyond the bounds below. Linux only: /proc is read. Needs --expose-gc; and, since V8 itself grows for a while, which
// would look like the addon's growth, --v8-pool-size=1 (each compiler thread comes to keep 0.7 MiB at some time in thousands
// of calls) and --max-semi-space-size=1 (the young generation goes from 1 to 12 MiB). Left out of all memory is what the
// addon's allocator keeps for the next call, which is bounded and comes by the megabyte, when a call first needs it.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { memoryMeter } from './memory.mjs';
import { fitLine } from './slope.mjs';
import { WORK } from './work.mjs';

// Before LibTorch is opened: threads that spin while they wait take the cores from what else runs here.
process.env.OMP_WAIT_POLICY ??= 'passive';

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const SAMPLES = 40;

/**
 * The number of calls; and per call, in KiB: `allocated` is what malloc and the addon's own blocks have given out, where a leak would
 * show, `heap` JavaScript's, `resident` and `upper` (of its 95 % interval) what the system counts, in which are the free pieces that malloc keeps.
 */
const PLANS = {
  reports: { calls: 2000, warm: 200, short: 24, allocated: 0.25, resident: 1, upper: 4, heap: 0.1 },
  cycles: { calls: 500, warm: 50, short: 16, allocated: 2, heap: 2 },
  aborts: { calls: 10_000, warm: 3000, short: 200, allocated: 0.1, resident: 0.5, upper: 1, heap: 0.1 },
  refusals: { calls: 10_000, warm: 1000, short: 400, allocated: 0.05, resident: 0.25, upper: 0.5, heap: 0.1 },
};
/** The bounds of resident memory over a whole run. */
const MAX_GROWTH = 0.05;

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: Object.keys(PLANS).join(',') },
    short: { type: 'boolean', default: false },
    scale: { type: 'string', default: '1' },
    out: { type: 'string' },
  },
});

async function settle() {
  for (let i = 0; i < 3; i++) {
    global.gc();
    await turn();
  }
}

const descriptors = () => readdirSync('/proc/self/fd').length;
const threads = () => Number(/^Threads:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))[1]);
const round = (number) => Number(number.toPrecision(3));

async function soak(name, plan, context) {
  const scale = Number(values.scale);
  const calls = values.short ? plan.short : Math.max(SAMPLES, Math.round(plan.calls * scale));
  const warm = values.short ? Math.ceil(plan.short / 4) : Math.max(10, Math.round(plan.warm * scale));
  const { call, end } = await WORK[name](context);
  const started = performance.now();
  for (let i = 0; i < warm; i++) await call(i);
  await settle();
  const before = { descriptors: descriptors(), threads: threads() };
  const samples = [];
  const every = Math.max(1, Math.floor(calls / SAMPLES));
  for (let i = 1; i <= calls; i++) {
    await call(i);
    if (i % every !== 0) continue;
    await settle();
    samples.push({ calls: i, ...measure() });
  }
  const after = { descriptors: descriptors(), threads: threads() };
  await end();
  const seconds = (performance.now() - started) / 1000;
  const line = (key) => fitLine(samples.map((sample) => [sample.calls, sample[key]]));
  const perCall = (key) => [line(key).lower, line(key).slope, line(key).upper].map(round);
  const resident = line('resident');
  const result = {
    name,
    calls,
    warm,
    seconds: Math.round(seconds),
    residentMib: round(samples.at(-1).resident / 1024),
    cachedMib: round(samples.at(-1).cached / 1024),
    allocatedPerCall: perCall('allocated'),
    residentPerCall: perCall('resident'),
    heapPerCall: perCall('heap'),
    growth: round((resident.at(calls) - resident.at(1)) / resident.at(1)),
    descriptors: after.descriptors - before.descriptors,
    threads: after.threads - before.threads,
  };
  return { ...result, problems: problemsOf(plan, result) };
}

/** The long form must show that nothing grows; the short one, which is less certain, that nothing is seen to. */
function problemsOf(plan, { allocatedPerCall, residentPerCall, heapPerCall, growth, descriptors, threads }) {
  const problems = [];
  const check = (isFine, what) => isFine || problems.push(what);
  // A short run is judged by what is certain alone, because compiled code and caches still come in.
  const [at, least] = values.short ? [0, 50] : [1, 1];
  check(allocatedPerCall[at] <= least * plan.allocated, `malloc gives out ${allocatedPerCall[1]} KiB a call`);
  check(heapPerCall[at] <= least * plan.heap, `the heap grows by ${heapPerCall[1]} KiB a call`);
  const { resident = Infinity, upper = Infinity } = plan; // of cycles the growth alone
  const [lower, slope, most] = residentPerCall;
  if (values.short) check(lower <= 100 * upper, `memory grows by ${slope} KiB a call`);
  else {
    check(slope <= resident && most <= upper, `memory grows by ${slope} (up to ${most}) KiB a call`);
    check(growth <= MAX_GROWTH, `memory grew by ${growth * 100} %`);
  }
  check(descriptors === 0, `${descriptors} file descriptors are left`);
  check(threads === 0, `${threads} threads are left`);
  return problems;
}

const folder = mkdtempSync(join(tmpdir(), 'brain3d-soak-'));
const measure = memoryMeter(folder);
const context = {
  model: join(ROOT, 'models/tiny/checkpoint'),
  sample: join(ROOT, 'assets/colin27_t1_2mm.nii.gz'),
  folder,
};
const results = [];
try {
  for (const name of values.only.split(',')) {
    if (PLANS[name] === undefined)
      throw new Error(`expected --only of ${Object.keys(PLANS).join(', ')}, got '${name}'`);
    const result = await soak(name, PLANS[name], context);
    results.push(result);
    const { problems, ...shown } = result;
    console.log(JSON.stringify(shown));
    for (const problem of problems) console.error(`${name}: ${problem}`);
  }
} finally {
  rmSync(folder, { recursive: true });
}
const machine = { cpu: cpus()[0].model, cores: cpus().length, load: loadavg()[0], node: process.version };
if (values.out !== undefined)
  writeFileSync(
    values.out,
    `${JSON.stringify({ date: new Date().toISOString().slice(0, 10), machine, results }, null, 2)}\n`,
  );
process.exitCode = results.every(({ problems }) => problems.length === 0) ? 0 : 1;
