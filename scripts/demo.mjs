#!/usr/bin/env node
// `npm run demo` writes reports for a glioma simulated on real anatomy and for the committed real head. Reports go to
// stdout, results and montages to .demo/.
import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { exitOnStepError, ROOT, setup } from './setup.mjs';

const REAL_HEAD = 'assets/colin27_t1_2mm.nii.gz';
const MODEL = 'models/tiny/checkpoint';
const OUT = '.demo';
const COHORT = `${OUT}/simulated`;
const SUBJECT = 'Simulated_Training_001';
const SIMULATED = `${COHORT}/brats/${SUBJECT}/${SUBJECT}_flair.nii.gz`;
const TRUTH = `${COHORT}/reports/${SUBJECT}/${SUBJECT}_flair_text.txt`;

await exitOnStepError(async () => {
  await setup({ quiet: true });
  // The files listed at the end must be of this run.
  rmSync(join(ROOT, OUT), { recursive: true, force: true });
  mkdirSync(join(ROOT, OUT));
  let status = await run(['dist/cli.js', 'simulate', '--out', COHORT, '--subjects', '1', '--seed', '2']);
  if (status === 0) {
    console.log('');
    const volumes = [SIMULATED, REAL_HEAD];
    status = await run(['dist/cli.js', 'report', ...volumes, '--model', MODEL, '--out', OUT, '--stream']);
  }
  if (status === 0) {
    console.log(`\nWhat the simulated volume holds:\n${readFileSync(join(ROOT, TRUTH), 'utf8')}`);
    console.log('Written:');
    for (const name of readdirSync(join(ROOT, OUT)).sort()) console.log(`  ${join(OUT, name)}`);
  }
  process.exitCode = status;
});

function run(args) {
  console.error(`$ node ${args.join(' ')}\n`);
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd: ROOT, stdio: 'inherit' });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (signal) console.error(`The demo was ended by ${signal}.`);
      resolve(code ?? 1);
    });
  });
}
