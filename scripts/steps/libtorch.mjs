// The step that finds LibTorch with the code that finds it at run time, or installs it into .libtorch/.
import { existsSync, realpathSync, renameSync, rmSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, relative, resolve } from 'node:path';
import { runExplained, StepError, which } from './command.mjs';
import { readStamp, writeStamp } from './stamp.mjs';

/** The version that is installed if none is found: the newest that the tests ran with. */
const TORCH = 'torch==2.13.0';

export const libtorch = {
  name: 'LibTorch',
  doing: 'looking for it',

  /**
   * Starts no python: with the same settings and an unchanged library, the answer is that of the last time. Sets
   * `context.libtorch`.
   */
  isUpToDate(context) {
    const stamp = readStamp(context.root, 'libtorch');
    if (stamp === null || stamp.settings !== settings()) return false;
    const root = resolve(context.root, stamp.root);
    if (stamp.file !== fileState(root)) return false;
    context.libtorch = { ...stamp, root };
    return true;
  },

  async run(context) {
    const { root, progress } = context;
    const finder = createRequire(import.meta.url)(join(root, 'dist', 'native', 'libtorch.js'));
    const search = { packageRoot: root, env: process.env };
    let resolution = finder.resolveForBuild(search);
    if (resolution.found === null) {
      if (process.env.LIBTORCH) throw unusable(finder, resolution, 'LIBTORCH names no usable LibTorch');
      progress.note(`not found; installing ${TORCH} into .libtorch/ with pip (200 MB for CPU, 3 GB with CUDA)`);
      await install(context);
      resolution = finder.resolveForBuild(search);
      if (resolution.found === null) throw unusable(finder, resolution, 'what pip installed cannot be used');
    }
    const { root: torchRoot, version, cudaVersion, source } = resolution.found;
    context.libtorch = {
      root: torchRoot,
      version,
      cudaVersion,
      source,
      settings: settings(),
      file: fileState(torchRoot),
    };
    // What is in the checkout goes with it when it is copied.
    const inside = relative(root, torchRoot);
    writeStamp(root, 'libtorch', { ...context.libtorch, root: inside.startsWith('..') ? torchRoot : inside });
    return finder.describeCandidate(resolution.found).replace(/, fits$/, '');
  },
};

/** Installs into a folder of another name first, so that an interrupted installation is never taken for a whole one. */
async function install({ root, verbose }) {
  if (which('python3') === null) {
    throw new StepError('LibTorch was not found, and there is no python3 to install it with', {
      remedies: [
        'sudo apt-get install python3 python3-pip',
        'or set LIBTORCH to an unpacked LibTorch 2.11 to 2.14 (the directory that holds lib/libtorch.so)',
      ],
    });
  }
  const partial = join(root, 'build', 'libtorch.partial');
  const target = join(root, '.libtorch');
  rmSync(partial, { recursive: true, force: true });
  // The retries are few: with a private index and no route to the public one, each package would wait through all of
  // them.
  const args = ['-m', 'pip', 'install', '--no-input', '--no-compile', '--retries', '2', '--target', partial, TORCH];
  await runExplained('python3', args, {
    cwd: root,
    verbose,
    symptoms: [
      [/No module named pip/, 'this python3 has no pip', 'sudo apt-get install python3-pip'],
      [
        /No matching distribution found|Could not find a version/,
        `pip finds no ${TORCH} for this Python and platform (or cannot reach its index)`,
        "check the connection and pip's index settings, use Python 3.10 or newer, or set LIBTORCH to a LibTorch 2.11 to 2.14",
      ],
    ],
  });
  rmSync(target, { recursive: true, force: true });
  renameSync(partial, target);
}

function unusable(finder, resolution, why) {
  const needed = 'LibTorch 2.11 to 2.14 with its headers';
  return new StepError(`${why}\n${finder.libtorchError(resolution.tried, needed).message}`);
}

/** The settings that decide which LibTorch is found, as far as they are known without starting python. */
function settings() {
  const python = which('python3');
  const { LIBTORCH, VIRTUAL_ENV, PYTHONPATH } = process.env;
  return JSON.stringify([LIBTORCH, VIRTUAL_ENV, PYTHONPATH, python, python && realpathSync(python)]);
}

function fileState(torchRoot) {
  const file = join(torchRoot, 'lib', 'libtorch_cpu.so');
  if (!existsSync(file)) return 'gone';
  const { mtimeMs, size } = statSync(file);
  return `${mtimeMs} ${size}`;
}
