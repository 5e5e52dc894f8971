#!/usr/bin/env node
// `npm run test:asan` and `npm run test:tsan` compile the addon with a sanitizer and run jest on it with the ordinary
// node, with the sanitizer's runtime loaded first. Arguments go to jest; without any, the tests of the addon's
// interface run.
//   npm run test:asan -- test/lib/volume/volume.test.ts
// The full build in build-<sanitizer>/ takes a quarter of an hour on two cores, so it is not part of `npm test`.
import { execFileSync, spawn } from 'node:child_process';
import { cpSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { exitOnStepError, ROOT, setup } from './setup.mjs';
import { buildTree } from './steps/native.mjs';
import { Progress } from './steps/progress.mjs';

const SUITE = [
  'test/(lib|integration)/.*/?(volume|model|hostile-(tokenizer|config|adapter)|train|skull-strip|simulate|bertscore|tokenizer|worker-pool)\\.test',
  'test/lifecycle/(process|abort|random-end|fuzz-arguments)\\.test',
];
/** The files that the tests read besides the code. */
const LINKED = [
  'node_modules',
  'assets',
  'models',
  'configs',
  'package.json',
  'package-lock.json',
  'README.md',
  'docs',
];
const COPIED = ['dist', 'lib', 'test', 'jest.config.js'];

/**
 * For each sanitizer: the compiler's option, the runtime and the settings. The parsers' program looks for leaks,
 * because node itself leaves its heap at exit. Node, V8 and LibTorch are not instrumented. They are therefore left out
 * of the race reports (tsan.supp), and the order of locks is not checked, because their locks are only half seen. Node
 * handles SIGSEGV itself, for WebAssembly, and ends without a word: handle_segv=2 prevents that.
 */
const SANITIZERS = {
  asan: {
    sanitizers: 'address,undefined',
    library: 'libasan.so',
    env: {
      ASAN_OPTIONS: 'detect_leaks=0:halt_on_error=1:abort_on_error=1:handle_segv=2',
      UBSAN_OPTIONS: 'print_stacktrace=1',
    },
  },
  tsan: {
    sanitizers: 'thread',
    library: 'libtsan.so',
    env: {
      TSAN_OPTIONS: [
        'halt_on_error=1:exitcode=99:ignore_noninstrumented_modules=1:detect_deadlocks=0:handle_segv=2',
        `suppressions=${join(ROOT, 'scripts/tsan.supp')}`,
      ].join(':'),
    },
  },
};

/** The time limit of a test in ms. Instrumented code is some ten times slower. */
const TEST_LIMIT_MS = 900_000;

/**
 * Makes a copy of the package whose build/ is the sanitized one, because the package finds its addon beside its own
 * code.
 */
function makeTree(tree) {
  mkdirSync(tree, { recursive: true });
  for (const name of LINKED) {
    rmSync(join(tree, name), { recursive: true, force: true });
    symlinkSync(join(ROOT, name), join(tree, name));
  }
  for (const name of COPIED) {
    rmSync(join(tree, name), { recursive: true, force: true });
    cpSync(join(ROOT, name), join(tree, name), { recursive: true });
  }
}

async function build(name, { sanitizers }, libtorch, tree) {
  const progress = new Progress(`addon with ${name}`, false);
  progress.start('compiling');
  try {
    const targets = ['brain3d', 'brain3d_loader'];
    await buildTree({
      root: ROOT,
      buildDir: join(tree, 'build'),
      targets,
      debug: false,
      libtorch,
      verbose: false,
      progress,
      defines: [`BRAIN3D_SANITIZERS=${sanitizers}`, 'BRAIN3D_TESTS=OFF'],
    });
    progress.finish('done');
  } catch (error) {
    progress.fail(error);
    throw error;
  }
}

async function main([name, ...args]) {
  const sanitizer = SANITIZERS[name];
  if (sanitizer === undefined) {
    console.error(`usage: node scripts/sanitize.mjs ${Object.keys(SANITIZERS).join('|')} [arguments of jest]`);
    process.exitCode = 2;
    return;
  }
  const { libtorch } = await setup({ quiet: true, upTo: 'LibTorch' });
  const tree = join(ROOT, `build-${name}`);
  makeTree(tree);
  await build(name, sanitizer, libtorch, tree);
  const library = execFileSync('g++', [`-print-file-name=${sanitizer.library}`], { encoding: 'utf8' }).trim();
  // The tests run in one process: a report ends it, and jest would take a dead worker for a failed file and go on.
  const jest = [
    'node_modules/jest/bin/jest.js',
    '--runInBand',
    `--testTimeout=${TEST_LIMIT_MS}`,
    ...(args.length > 0 ? args : SUITE),
  ];
  const env = {
    ...process.env,
    ...sanitizer.env,
    LD_PRELOAD: library,
    LIBTORCH: libtorch.root,
    BRAIN3D_SANITIZER: name,
    OMP_NUM_THREADS: '1',
  };
  const child = spawn(process.execPath, jest, { cwd: tree, env, stdio: 'inherit' });
  process.exitCode = await new Promise((resolve) => child.on('close', (code, signal) => resolve(signal ? 1 : code)));
}

await exitOnStepError(() => main(process.argv.slice(2)));
