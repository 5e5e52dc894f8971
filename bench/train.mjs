#!/usr/bin/env node
// Compares optimiser steps of the three phases with the same steps in PyTorch, transformers and PEFT, in one run.
//
//   npm run bench -- train [--python PYTHON] [--phases LIST] [--steps N] [--rounds N] [--threads N]
//                          [--size train|4b] [--device cpu|cuda] [--dtype float32|bfloat16] [--variants LIST]
//                          [--out FILE.json]
//
// PYTHON must import torch, transformers, peft, safetensors and nibabel. Every measurement is a fresh process; both
// sides take turns, `rounds` times. Both start from the same files and see the same batch. The run fails unless their
// first losses and gradient norms agree, since otherwise there is nothing to compare.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, tmpdir, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const BATCH = { grounding: 8, 'projector-warmup': 16, 'lora-sft': 16 };
const MICRO_BATCH = 8;
const whole = { microBatch: MICRO_BATCH, recompute: false };
const OURS = {
  // `parts` are the settings of configs/paper.json, which take less memory and more computing.
  grounding: { whole, parts: { microBatch: 4, recompute: true } },
  'projector-warmup': { whole, recompute: { ...whole, recompute: true } },
  'lora-sft': { whole, recompute: { ...whole, recompute: true } },
};
const PEERS = {
  grounding: ['batched'],
  'projector-warmup': ['published', 'batched'],
  'lora-sft': ['files', 'published', 'batched'],
};
/**
 * The recipe `paper` has 65 x 9 x 9 = 5,265 patch tokens, as in the authors' code. In `coarse` a patch spans 4 of 64
 * planes, which makes 1,296.
 */
const RECIPES = JSON.parse(readFileSync(join(ROOT, 'bench/recipes.json'), 'utf8'));
/** Grounding goes backward through every patch token: with the paper's grid a step would take a minute on two cores. */
const RECIPE_OF = { grounding: 'coarse', 'projector-warmup': 'paper', 'lora-sft': 'paper' };
const LOSS_TOLERANCE = 1e-4;
const NORM_TOLERANCE = 0.05; // dropout masks differ

const { values } = parseArgs({
  options: {
    python: { type: 'string', default: 'python3' },
    phases: { type: 'string', default: Object.keys(BATCH).join(',') },
    steps: { type: 'string', default: '5' },
    rounds: { type: 'string', default: '2' },
    threads: { type: 'string', default: String(availableParallelism()) },
    size: { type: 'string', default: 'train' },
    device: { type: 'string', default: 'cpu' },
    dtype: { type: 'string', default: 'float32' },
    variants: { type: 'string' }, // of either side; all by default
    out: { type: 'string' },
  },
});
const phases = values.phases.split(',');
const where = { device: values.device, dtype: values.dtype };
/** bfloat16 rounds to 2^-9, and the sides round at different places. */
const SLACK = values.dtype === 'bfloat16' ? 100 : 1;
const env = { ...process.env, OMP_NUM_THREADS: values.threads, HF_HUB_OFFLINE: '1', TRANSFORMERS_VERBOSITY: 'error' };

function fail(message) {
  process.stderr.write(`bench train: ${message}\n`);
  process.exit(2);
}

function checkArguments() {
  const unknown = phases.find((phase) => BATCH[phase] === undefined);
  if (unknown !== undefined) fail(`expected phases of ${Object.keys(BATCH).join(', ')}, got '${unknown}'`);
  for (const name of ['steps', 'rounds', 'threads'])
    if (!/^[1-9]\d*$/.test(values[name])) fail(`expected a positive number for --${name}, got '${values[name]}'`);
  const { error, status, stderr } = spawnSync(
    values.python,
    ['-c', 'import torch, transformers, peft, safetensors, nibabel'],
    {
      encoding: 'utf8',
    },
  );
  if (error !== undefined || status !== 0)
    fail(
      `expected a Python with torch, transformers, peft, safetensors and nibabel, got --python ${values.python} ` +
        `(${error?.message ?? stderr.trim().split('\n').at(-1)}); tools/reference/requirements.txt lists them`,
    );
}

/** Runs a program to its end and parses the last line of its output as JSON, unless `parse` is false. */
function run(command, args, parse = true) {
  const options = { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], cwd: ROOT, env };
  const output = execFileSync(command, args, options);
  return parse ? JSON.parse(output.trim().split('\n').at(-1)) : output;
}
const python = (script, args, parse) => run(values.python, [join(ROOT, 'bench/reference', script), ...args], parse);
const node = (args, parse) => run(process.execPath, [join(ROOT, 'bench/own-training.mjs'), ...args], parse);

function makeFiles(dir, recipe) {
  mkdirSync(dir);
  python('make_model.py', [dir, '--size', values.size, '--device', values.device], false);
  const samples = String(Math.max(...Object.values(BATCH)));
  python('training_data.py', [dir, '--samples', samples, '--micro-batch', String(MICRO_BATCH)], false);
  writeFileSync(join(dir, 'recipe.json'), JSON.stringify(RECIPES[recipe]));
  node([dir, JSON.stringify({ prepare: true, ...where })], false);
}

function measure(dir, phase) {
  const [batch, steps] = [BATCH[phase], Number(values.steps)];
  const wanted = (variant) => values.variants === undefined || values.variants.split(',').includes(variant);
  const rounds = { brain3d: {}, peer: {} };
  const keep = (side, variant, result) => {
    rounds[side][variant] = [...(rounds[side][variant] ?? []), result];
  };
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const [variant, settings] of Object.entries(OURS[phase]).filter(([name]) => wanted(name)))
      keep('brain3d', variant, node([dir, JSON.stringify({ phase, batch, steps, ...where, ...settings })]));
    for (const variant of PEERS[phase].filter(wanted)) {
      const args = ['--phase', phase, '--variant', variant, '--batch', String(batch)];
      args.push('--device', values.device, '--dtype', values.dtype);
      keep(
        'peer',
        variant,
        python('training.py', [dir, ...args, '--steps', values.steps, '--threads', values.threads]),
      );
    }
  }
  checkSame(phase, rounds);
  const summed = (side) => Object.fromEntries(Object.entries(rounds[side]).map(([name, all]) => [name, summary(all)]));
  return { batch, brain3d: summed('brain3d'), peer: summed('peer') };
}

function checkSame(phase, { brain3d, peer }) {
  const ours = brain3d.whole[0];
  const compare = (what, a, b, tolerance) => {
    if (!(Math.abs(a - b) <= tolerance * Math.abs(b))) fail(`${phase}: ${what}: brain3d ${a}, peer ${b}`);
  };
  for (const [variant, [result]] of Object.entries(peer)) {
    // The authors' accumulation is a mean of the samples' means.
    const mine = variant !== 'batched' ? ours.first_sample_mean_loss : ours.first_loss;
    compare(`first loss (${variant})`, mine, result.first_loss, SLACK * LOSS_TOLERANCE);
    if (variant === 'batched')
      compare('first gradient norm', ours.first_grad_norm, result.first_grad_norm, NORM_TOLERANCE);
  }
  for (const [variant, [result]] of Object.entries(brain3d))
    compare(`gradient norm (${variant})`, result.first_grad_norm, ours.first_grad_norm, SLACK * 1e-4);
}

function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/**
 * Summarises rounds by the one with the best median, since noise only ever adds time. Memory is the largest of any
 * round. Processor time says more than the clock where other work runs beside.
 */
function summary(rounds) {
  const medians = rounds.map(({ seconds }) => median(seconds));
  const {
    seconds,
    cpu_seconds: _cpu,
    first_sample_mean_loss: _mean,
    ...best
  } = rounds[medians.indexOf(Math.min(...medians))];
  const largest = (key) => Math.max(...rounds.map((round) => round[key]));
  return {
    ...best,
    step_seconds: { median: median(seconds), min: Math.min(...seconds), max: Math.max(...seconds) },
    slowest_round_median: Math.max(...medians),
    cpu_seconds: Math.min(...rounds.map((round) => median(round.cpu_seconds))),
    peak_bytes: largest('peak_bytes'),
    peak_growth_bytes: largest('peak_growth_bytes'),
    peak_device_bytes: largest('peak_device_bytes'),
  };
}

function report(measured) {
  const [mb, s] = [(bytes) => (bytes / 1e6).toFixed(0), (seconds) => seconds.toFixed(3)];
  const row = (cells) => console.log(cells.map((cell, i) => (i < 3 ? cell.padEnd(17) : cell.padStart(12))).join(''));
  row(['phase', 'brain3d', 'peer', 's/step', 'peer s/step', 'ratio', 'CPU ratio', 'peak MB', 'peer MB']);
  const phasesOut = {};
  for (const [phase, { batch, brain3d, peer }] of Object.entries(measured)) {
    const ratios = {};
    for (const [mine, a] of Object.entries(brain3d))
      for (const [theirs, b] of Object.entries(peer)) {
        const time = b.step_seconds.median / a.step_seconds.median;
        const cpu = b.cpu_seconds / a.cpu_seconds;
        const memory = values.device === 'cpu' ? 'peak_bytes' : 'peak_device_bytes';
        ratios[`${mine}/${theirs}`] = { time, cpu, memory: b[memory] / a[memory] };
        const cells = [s(a.step_seconds.median), s(b.step_seconds.median), time.toFixed(2), cpu.toFixed(2)];
        row([phase, mine, theirs, ...cells, mb(a[memory]), mb(b[memory])]);
      }
    phasesOut[phase] = { recipe: RECIPE_OF[phase], batch, brain3d, peer, ratios };
  }
  const someone = Object.values(Object.values(measured)[0].peer)[0];
  const result = {
    date: new Date().toISOString().slice(0, 10),
    // The place of Python on a machine says nothing about the result.
    command: `npm run bench -- train ${process.argv.slice(2).join(' ')}`.replace(values.python, 'PYTHON').trim(),
    machine: { cpu: cpus()[0].model, cores: cpus().length, memory_bytes: totalmem(), load: loadavg()[0] },
    node: process.version,
    torch: someone.torch,
    transformers: someone.transformers,
    peft: someone.peft,
    ...{ size: values.size, ...where, gpu: Object.values(Object.values(measured)[0].brain3d)[0].gpu },
    threads: Number(values.threads),
    steps: Number(values.steps),
    rounds: Number(values.rounds),
    phases: phasesOut,
  };
  if (values.out === undefined) return;
  if (!existsSync(dirname(values.out))) mkdirSync(dirname(values.out), { recursive: true });
  writeFileSync(values.out, `${JSON.stringify(result, null, 2)}\n`);
}

checkArguments();
const dir = mkdtempSync(join(tmpdir(), 'brain3d-bench-'));
process.on('exit', () => rmSync(dir, { recursive: true, force: true }));
for (const recipe of new Set(phases.map((phase) => RECIPE_OF[phase]))) makeFiles(join(dir, recipe), recipe);
report(Object.fromEntries(phases.map((phase) => [phase, measure(join(dir, RECIPE_OF[phase]), phase)])));
