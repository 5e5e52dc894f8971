#!/usr/bin/env node
// The action of binding.gyp: builds with CMake and puts the result where node-gyp wants it (argument: PRODUCT_DIR).
// CMake works in build-cmake/, because `node-gyp rebuild` removes build/.
import { dirname, join, resolve } from 'node:path';
import { placeAddon, prebuildDir } from './prebuild-files.mjs';
import { exitOnStepError, ROOT, setup } from './setup.mjs';
import { buildTree } from './steps/native.mjs';
import { Progress } from './steps/progress.mjs';

await exitOnStepError(async () => {
  const productDir = resolve(process.argv[2] ?? join(ROOT, 'build', 'Release'));
  const { libtorch } = await setup({ upTo: 'LibTorch' });
  const buildDir = join(ROOT, 'build-cmake');
  const progress = new Progress('CMake', false);
  progress.start('compiling');
  try {
    await buildTree({
      root: ROOT,
      buildDir,
      libtorch,
      progress,
      targets: ['brain3d', 'brain3d_loader'],
      debug: false,
      verbose: false,
    });
  } catch (error) {
    progress.fail(error);
    throw error;
  }
  progress.finish('done');
  placeAddon(buildDir, { addonDir: productDir, loaderDir: join(dirname(productDir), 'loader') });
  // prebuildify takes only the addon; this adds the other files that a prebuild needs.
  if (process.env.PREBUILD_NODE_GYP) {
    const folder = prebuildDir(ROOT);
    placeAddon(buildDir, { addonDir: folder, loaderDir: join(folder, 'loader'), withAddon: false });
  }
});
