// SPDX-License-Identifier: MIT
// Writes reports of a simulated cohort's findings, in many wordings, as JSON lines: {findings, report}.
//   node tools/tiny/reports.mjs COHORT COUNT > reports.jsonl
// Every patient gets COUNT wordings. Only the wording is drawn anew; the findings are those of the masks. The reports
// of healthy subjects, as `dataset build` writes them, follow with findings null.
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const require = createRequire(import.meta.url);
const { HEALTHY_REPORTS } = require('../../dist/dataset/healthy-reports.js');
const { Draws } = require('../../dist/simulate/draws.js');
const { writeReport } = require('../../dist/simulate/write-report.js');
const { SplitMix64, fnv1a64 } = require('../../dist/base/rng.js');

const [cohort, count] = process.argv.slice(2);
const patients = join(cohort, 'brats');
for (const id of readdirSync(patients).sort()) {
  const { findings } = JSON.parse(readFileSync(join(patients, id, `${id}_truth.json`), 'utf8'));
  for (let wording = 0; wording < Number(count); wording++) {
    const draws = new Draws(new SplitMix64(fnv1a64(`${id} ${wording}`)));
    process.stdout.write(`${JSON.stringify({ id, findings, report: writeReport(findings, draws) })}\n`);
  }
}
for (const report of HEALTHY_REPORTS)
  process.stdout.write(`${JSON.stringify({ id: 'healthy', findings: null, report })}\n`);
