#!/usr/bin/env node
// `npm run demo`: the main job on the committed sample. Report on stdout; result and montage in .demo/.
import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { exitOnStepError, ROOT, setup } from './setup.mjs';

const SAMPLE = 'assets/colin27_t1_2mm.nii.gz';
const MODEL = 'models/tiny/checkpoint';
const OUT = '.demo';

await exitOnStepError(async () => {
  await setup({ quiet: true });
  // What is listed at the end must be of this run.
  rmSync(join(ROOT, OUT), { recursive: true, force: true });
  mkdirSync(join(ROOT, OUT));
  const status = await run(['dist/cli.js', 'report', SAMPLE, '--model', MODEL, '--out', OUT, '--stream']);
  if (status === 0) {
    console.log('\nWritten:');
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
