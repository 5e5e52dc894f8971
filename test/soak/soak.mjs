#!/usr/bin/env node
// Does the same thing thousands of times and looks whether memory, file descriptors or threads grow: `npm run soak`.
//   --only reports,cycles,aborts,refusals   --short   --scale 0.1   --out FILE
// Exits with 1 beyond the bounds below. Linux only: /proc is read. Needs --expose-gc. Memory is what is resident but for what
// the addon's allocator keeps for the next call, which is bounded and comes by the megabyte, when a call first needs it.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus, loadavg, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { fitLine } from './slope.mjs';
import { WORK } from './work.mjs';

// Before LibTorch is opened: threads that spin while they wait take the cores from what else runs here.
process.env.OMP_WAIT_POLICY ??= 'passive';

const addon = createRequire(import.meta.url)('../../dist/binding.js').loadAddon();
const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const SAMPLES = 40;

/** How often; `slope` and `upper` (of its 95 % interval) are in KiB of memory a call, `heap` of JavaScript's. */
const PLANS = {
  reports: { calls: 2000, warm: 200, short: 40, slope: 1, upper: 4, heap: 0.1 },
  cycles: { calls: 500, warm: 50, short: 24, growth: 0.05, heap: 2 },
  aborts: { calls: 10_000, warm: 1000, short: 400, slope: 0.5, upper: 1, heap: 0.1 },
  refusals: { calls: 10_000, warm: 1000, short: 800, slope: 0.25, upper: 0.5, heap: 0.1 },
};

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
  const [memory, heap] = [[], []];
  const every = Math.max(1, Math.floor(calls / SAMPLES));
  for (let i = 1; i <= calls; i++) {
    await call(i);
    if (i % every !== 0) continue;
    await settle();
    const { residentBytes, cachedBytes } = addon.systemInfo();
    memory.push([i, (residentBytes - cachedBytes) / 1024]);
    heap.push([i, process.memoryUsage().heapUsed / 1024]);
  }
  const after = { descriptors: descriptors(), threads: threads() };
  await end();
  const seconds = (performance.now() - started) / 1000;
  const [line, heapLine] = [fitLine(memory), fitLine(heap)];
  const growth = (line.at(calls) - line.at(1)) / line.at(1);
  const result = {
    name,
    calls,
    warm,
    seconds: Math.round(seconds),
    memoryMib: round(memory.at(-1)[1] / 1024),
    cachedMib: round(addon.systemInfo().cachedBytes / 2 ** 20),
    kibPerCall: [line.lower, line.slope, line.upper].map(round),
    heapKibPerCall: [heapLine.lower, heapLine.slope, heapLine.upper].map(round),
    growth: round(growth),
    descriptors: after.descriptors - before.descriptors,
    threads: after.threads - before.threads,
  };
  return { ...result, problems: problemsOf(plan, result) };
}

/** The long form must show that nothing grows; the short one, which is less certain, that nothing is seen to. */
function problemsOf(plan, { kibPerCall, heapKibPerCall, growth, memoryMib, descriptors, threads, calls }) {
  const problems = [];
  const [lower, slope, upper] = kibPerCall;
  const check = (isFine, what) => isFine || problems.push(what);
  if (plan.growth !== undefined) {
    // What the whole run adds; of a short one only what is certain.
    const certain = (lower * calls) / (memoryMib * 1024);
    check(values.short ? certain <= 0.1 : growth <= plan.growth, `memory grew by ${growth * 100} %`);
  } else if (values.short) {
    check(lower <= 100 * plan.upper, `memory grows by ${slope} KiB a call`);
  } else {
    check(slope <= plan.slope && upper <= plan.upper, `memory grows by ${slope} (up to ${upper}) KiB a call`);
  }
  // Compiled code and caches still come in at the beginning.
  const heapGrowth = values.short ? heapKibPerCall[0] / 50 : heapKibPerCall[1];
  check(heapGrowth <= plan.heap, `the heap grows by ${heapKibPerCall[1]} KiB a call`);
  check(descriptors === 0, `${descriptors} file descriptors are left`);
  check(threads === 0, `${threads} threads are left`);
  return problems;
}

const folder = mkdtempSync(join(tmpdir(), 'brain3d-soak-'));
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
