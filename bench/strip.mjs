#!/usr/bin/env node
// Measures Dice and time of brain extraction on heads whose brain is known.
//
//   node bench/strip.mjs HEAD.nii.gz MASK.nii.gz [--repeat R] [--auto] [--out FILE.json]
//   node bench/strip.mjs --simulated N [--grid native|small] [--auto] [--out FILE.json]
//
// MASK is any volume on HEAD's grid that is 0 outside of the brain. Simulated heads are those of `simulateSubject` with
// their skulls, healthy and with lesions in turn, each with its own axis order, bias, noise and slice thickness. The
// time is that of `extractBrain` of a volume in memory; its method is `bet`, or `auto` with `--auto`.
import { writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { basename } from 'node:path';
import { parseArgs } from 'node:util';
import { extractBrain, loadVolume, simulateSubject } from 'brain3d';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    repeat: { type: 'string', default: '5' },
    simulated: { type: 'string' },
    grid: { type: 'string', default: 'native' },
    auto: { type: 'boolean', default: false },
    out: { type: 'string' },
  },
});
const method = values.auto ? 'auto' : 'bet';

/** Requires the same array order for both, without which there is nothing to compare. */
function checkGrid(head, mask) {
  for (const key of ['shape', 'affine'])
    if (JSON.stringify(head.info[key]) !== JSON.stringify(mask.info[key]))
      throw new RangeError(`expected one grid, but ${key} of HEAD and MASK differ`);
}

function overlap(found, truth) {
  let [both, onlyFound, onlyTruth] = [0, 0, 0];
  for (const [i, value] of found.entries()) {
    if (value !== 0 && truth[i] !== 0) both++;
    else if (value !== 0) onlyFound++;
    else if (truth[i] !== 0) onlyTruth++;
  }
  return {
    dice: (2 * both) / (2 * both + onlyFound + onlyTruth),
    false_positive: onlyFound,
    false_negative: onlyTruth,
  };
}

async function extract(head) {
  const start = performance.now();
  const found = await extractBrain(head, { method });
  return { found, seconds: (performance.now() - start) / 1000 };
}

function spread(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return { median: sorted[Math.floor(sorted.length / 2)], min: sorted[0], max: sorted.at(-1) };
}

/** Measures one head again and again; the first time does not count. */
async function benchFile(headPath, maskPath) {
  const truth = await loadVolume(maskPath);
  const runs = [];
  for (let i = 0; i <= Number(values.repeat); i++) {
    const head = await loadVolume(headPath); // a fresh volume each time, since a volume remembers the brain found in it
    checkGrid(head, truth);
    runs.push(await extract(head));
  }
  const { found } = runs[0];
  return {
    head: basename(headPath),
    mask: basename(maskPath),
    method: found.method,
    shape: truth.info.shape,
    spacing_mm: truth.info.spacingMm,
    ...overlap(found.mask.data(), truth.data()),
    brain_volume_ml: found.brainVolumeMl,
    seconds: { ...spread(runs.slice(1).map(({ seconds }) => seconds)), repeat: runs.length - 1 },
  };
}

async function benchSimulated(count) {
  const sides = [null, 'left', 'right', 'bilateral'];
  const heads = [];
  for (let seed = 0; seed < count; seed++) {
    const side = sides[seed % sides.length];
    const { flair, brain } = await simulateSubject({ side, seed, grid: values.grid, keepSkull: true });
    const { found, seconds } = await extract(flair);
    heads.push({
      seed,
      side: side ?? 'healthy',
      orientation: flair.info.orientation,
      ...overlap(found.mask.data(), brain.data()),
      seconds,
    });
    process.stderr.write(`${seed + 1}/${count}: Dice ${heads.at(-1).dice.toFixed(4)}, ${seconds.toFixed(1)} s\n`);
  }
  const dice = spread(heads.map((head) => head.dice));
  return {
    simulated: count,
    grid: values.grid,
    method,
    orientations: new Set(heads.map(({ orientation }) => orientation)).size,
    dice,
    seconds: spread(heads.map(({ seconds }) => seconds)),
    heads,
  };
}

if ((values.simulated === undefined) !== (positionals.length === 2))
  throw new TypeError('expected HEAD and MASK, or --simulated N');
const measured =
  values.simulated === undefined ? await benchFile(...positionals) : await benchSimulated(Number(values.simulated));
const result = {
  date: new Date().toISOString().slice(0, 10),
  ...measured,
  machine: { cpu: cpus()[0].model, cores: cpus().length, load: loadavg()[0], node: process.version },
};
const { heads: _each, ...summary } = result;
process.stdout.write(`${JSON.stringify(summary, null, 2)}\n`);
if (values.out !== undefined) writeFileSync(values.out, `${JSON.stringify(result, null, 2)}\n`);
