#!/usr/bin/env node
// `npm run prebuilds` makes prebuilds/<platform>-<arch>/ from an up-to-date Release build. An installed package that
// holds a fitting one compiles nothing.
import { rmSync } from 'node:fs';
import { relative } from 'node:path';
import { makePrebuild, prebuildDir } from './prebuild-files.mjs';
import { exitOnStepError, ROOT, setup } from './setup.mjs';
import { filesUnder } from './steps/stamp.mjs';

await exitOnStepError(async () => {
  await setup();
  rmSync(prebuildDir(ROOT), { recursive: true, force: true });
  for (const file of filesUnder(await makePrebuild(ROOT))) console.log(relative(ROOT, file));
});
