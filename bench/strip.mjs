#!/usr/bin/env node
// Brain extraction on a head whose brain is known: Dice and time.
//
//   node bench/strip.mjs HEAD.nii.gz MASK.nii.gz [--repeat R] [--out FILE.json]
//
// MASK is any volume on HEAD's grid that is 0 outside of the brain. Timed is `extractBrain` of a volume that was read
// before, the first time left out; its method is `bet`, or `auto` with `--auto`.
import { writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { basename } from 'node:path';
import { parseArgs } from 'node:util';
import { extractBrain, loadVolume } from 'brain3d';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { repeat: { type: 'string', default: '5' }, out: { type: 'string' }, auto: { type: 'boolean' } },
});
if (positionals.length !== 2) throw new TypeError('expected HEAD and MASK');
const [headPath, maskPath] = positionals;

/** The same array order for both, or there is nothing to compare. */
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

const truth = await loadVolume(maskPath);
const times = [];
let found;
for (let i = 0; i <= Number(values.repeat); i++) {
  const head = await loadVolume(headPath); // a fresh one each time: what was found in a volume is remembered
  checkGrid(head, truth);
  const start = performance.now();
  found = await extractBrain(head, { method: values.auto ? 'auto' : 'bet' });
  if (i > 0) times.push((performance.now() - start) / 1000);
}
times.sort((a, b) => a - b);
const result = {
  date: new Date().toISOString().slice(0, 10),
  head: basename(headPath),
  mask: basename(maskPath),
  method: found.method,
  shape: truth.info.shape,
  spacing_mm: truth.info.spacingMm,
  ...overlap(found.mask.data(), truth.data()),
  brain_volume_ml: found.brainVolumeMl,
  seconds: { median: times[Math.floor(times.length / 2)], min: times[0], max: times.at(-1), repeat: times.length },
  machine: { cpu: cpus()[0].model, cores: cpus().length, load: loadavg()[0], node: process.version },
};
process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
if (values.out !== undefined) writeFileSync(values.out, `${JSON.stringify(result, null, 2)}\n`);
