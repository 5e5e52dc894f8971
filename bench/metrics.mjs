#!/usr/bin/env node
// Measures how long `scoreTexts` takes for many pairs of reports (after `npm run build`):
//   node bench/metrics.mjs [--pairs N] [--out FILE]
import { writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { scoreTexts } from 'brain3d';

const { values } = parseArgs({ options: { pairs: { type: 'string', default: '10000' }, out: { type: 'string' } } });
const pairs = Number(values.pairs);

/** Makes a report in the manner of TextBraTS: four sentences of about 70 words; every fourth is a healthy one. */
function report(i) {
  const pick = (list, step) => list[(i * step + (i >> 3)) % list.length];
  if (i % 4 === 0) return `No abnormal signal is identified in the brain on this FLAIR MRI number ${i}.`;
  const side = pick(['left', 'right', 'bilateral'], 1);
  const lobe = pick(['frontal', 'parietal', 'temporal', 'occipital', 'frontal and parietal'], 3);
  const signal = pick(['mixed high and low signals', 'uneven high signal', 'a speckled pattern of intensities'], 5);
  const degree = pick(['mild', 'moderate', 'significant', 'extensive', 'marked'], 7);
  return (
    `The lesion area is primarily located in the ${side} ${lobe} lobe, showing ${signal} with irregular boundaries in region ${i % 97}. ` +
    `Edema is ${degree} and mainly observed in the surrounding tissue of the lesion, partially extending towards the ${lobe} region ${i % 89}. ` +
    `Necrosis is ${pick(['observed', 'visible', 'not observed'], 2)} within the lesion, presenting as low signal with an ${pick(['irregular', 'even'], 11)} distribution. ` +
    `Ventricular compression is ${degree}, with noticeable deformation of the ${side} lateral ventricle.`
  );
}

const entries = (shift) =>
  Array.from({ length: pairs }, (_, i) => ({ id: `case-${i}`, text: report(i * 7 + shift * (i % 5)) }));
const [references, hypotheses] = [entries(0), entries(1)];
const started = performance.now();
const scores = await scoreTexts(references, hypotheses);
const seconds = (performance.now() - started) / 1000;
const result = {
  date: new Date().toISOString().slice(0, 10),
  pairs,
  words: scores.texts.references.words.mean,
  seconds,
  machine: { cpu: cpus()[0].model, cores: cpus().length, load: loadavg()[0], node: process.version },
};
process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
if (values.out !== undefined) writeFileSync(values.out, `${JSON.stringify(result, null, 2)}\n`);
