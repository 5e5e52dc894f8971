// Lists the files of an installed addon and their places, for binding.gyp's action, `npm run prebuilds` and the
// packaging tests. The loader has a folder of its own, because node-gyp-build takes any .node file beside the addon for
// the addon.
import { copyFileSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';
import { ROOT } from './setup.mjs';

const ADDON = 'brain3d.node';
const BUILD_INFO = 'brain3d.build.json';
const LOADER = 'brain3d_loader.node';

/**
 * Puts CMake's output from `buildDir` where `lib/native/binding.ts` looks: the addon and its description into
 * `addonDir` (or the description alone), the loader into `loaderDir`.
 */
export function placeAddon(buildDir, { addonDir, loaderDir, withAddon = true }) {
  copyInto(addonDir, join(buildDir, 'Release', BUILD_INFO));
  if (withAddon) copyInto(addonDir, join(buildDir, 'Release', ADDON));
  copyInto(loaderDir, join(buildDir, 'loader', LOADER));
}

/** The folder `<out>/prebuilds/<platform>-<arch>`. */
export function prebuildDir(out) {
  return join(out, 'prebuilds', `${process.platform}-${process.arch}`);
}

/**
 * Makes `<out>/prebuilds/<platform>-<arch>/` from the output of `npm run build` in build/, with prebuildify, which
 * strips the addon and names it by what it needs (N-API, libc). Returns the folder.
 */
export async function makePrebuild(out) {
  const buildDir = join(ROOT, 'build');
  // prebuildify moves the addon away, so it works on a copy, which is on the disk of `out`: it cannot move to another.
  const stage = join(out, 'prebuilds', 'stage');
  placeAddon(buildDir, { addonDir: join(stage, 'build', 'Release'), loaderDir: join(stage, 'build', 'loader') });
  const prebuildify = createRequire(import.meta.url)('prebuildify');
  const options = {
    napi: true,
    strip: true,
    tagLibc: true,
    name: 'brain3d',
    cwd: stage,
    out,
    targets: [`node@${process.versions.node}`],
    // CMake has built the addon, so the program that prebuildify calls to build does nothing.
    nodeGyp: 'true',
    quiet: true,
  };
  await new Promise((resolve, reject) => prebuildify(options, (error) => (error ? reject(error) : resolve())));
  rmSync(stage, { recursive: true });
  const folder = prebuildDir(out);
  placeAddon(buildDir, { addonDir: folder, loaderDir: join(folder, 'loader'), withAddon: false });
  return folder;
}

function copyInto(directory, file) {
  if (!existsSync(file)) throw new Error(`${file} is missing: run npm run build`);
  mkdirSync(directory, { recursive: true });
  copyFileSync(file, join(directory, basename(file)));
}
