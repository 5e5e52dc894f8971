// The step that builds the addon and its loader (and the C++ tests, if asked for), by CMakeLists.txt through cmake-js.
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { isAbsolute, join, relative } from 'node:path';
import { runExplained, StepError, which } from './command.mjs';
import { fingerprint, readStamp, withTimesOfLastBuild, writeStamp } from './stamp.mjs';

const INPUTS = ['CMakeLists.txt', 'cmake', 'native', 'third_party', 'package-lock.json'];

const TEST_INPUTS = [...INPUTS, 'test/native'];

const TARGETS = [
  { name: 'brain3d', output: 'Release/brain3d.node' },
  { name: 'brain3d_loader', output: 'loader/brain3d_loader.node' },
];
const TEST_TARGET = { name: 'brain3d_tests', output: 'brain3d_tests' };

export const native = {
  name: 'Native addon',
  doing: 'compiling with CMake (some minutes the first time)',

  isUpToDate(context) {
    const { root, tests } = context;
    const isBuilt = ({ output }) => existsSync(join(root, 'build', output));
    if (!targetsOf(tests).every(isBuilt)) return false;
    if (readStamp(root, 'native') !== key(context, INPUTS)) return false;
    return !tests || readStamp(root, 'native-tests') === key(context, TEST_INPUTS);
  },

  async run(context) {
    const { root, tests } = context;
    requireTools();
    const keys = [key(context, INPUTS), key(context, TEST_INPUTS)];
    const buildDir = join(root, 'build');
    await withTimesOfLastBuild(root, 'native-times', TEST_INPUTS, join(buildDir, '.ninja_log'), () =>
      buildTree({ ...context, buildDir, targets: targetsOf(tests).map(({ name }) => name) }),
    );
    writeStamp(root, 'native', keys[0]);
    if (tests) writeStamp(root, 'native-tests', keys[1]);
    return `LibTorch ${context.libtorch.version}${context.debug ? ', debug' : ''}`;
  },
};

/** Configures `buildDir` if its settings changed and builds `targets` in it; `defines` are further cache entries. */
export async function buildTree(context) {
  const { root, buildDir, targets, debug, libtorch, verbose, progress, defines = [] } = context;
  const generator = prepareCache(context);
  const base = ['-O', buildDir, '-B', debug ? 'Debug' : 'Release', ...(generator === null ? [] : ['-G', generator])];
  const options = { cwd: root, verbose, symptoms: SYMPTOMS, onLine: (line) => progress.watch(line) };
  const entries = [`CMAKE_PREFIX_PATH=${libtorch.root}`, ...defines].map((entry) => `--CD${entry}`);
  const configure = ['node_modules/cmake-js/bin/cmake-js', 'configure', ...base, ...entries];
  await runExplained(process.execPath, configure, options);
  const jobs = process.env.CMAKE_BUILD_PARALLEL_LEVEL ?? String(availableParallelism());
  // All at once, by CMake itself (cmake-js takes one): no core waits for the end of a target.
  await runExplained('cmake', ['--build', buildDir, '--target', ...targets, '--parallel', jobs], options);
}

/**
 * Prepares CMake's cache and returns the generator. CMake refuses another source directory or generator than the
 * cache's, so a cache that no longer fits is removed, and one that fits is used with its own generator (null: cmake-js
 * prefers Ninja).
 */
function prepareCache({ root, buildDir, libtorch }) {
  const file = join(buildDir, 'CMakeCache.txt');
  if (!existsSync(file)) return null;
  const cache = readFileSync(file, 'utf8');
  const entry = (name) => cache.match(new RegExp(`^${name}(?::\\w+)?=(.*)$`, 'm'))?.[1];
  if (entry('CMAKE_HOME_DIRECTORY') === root && entry('CMAKE_PREFIX_PATH') === libtorch.root) {
    return entry('CMAKE_GENERATOR') ?? null;
  }
  rmSync(file);
  rmSync(join(buildDir, 'CMakeFiles'), { recursive: true, force: true });
  return null;
}

const SYMPTOMS = [
  [
    /Killed signal terminated program|virtual memory exhausted|cannot allocate memory/i,
    'the compiler ran out of memory',
    'close other programs, or build with fewer jobs: CMAKE_BUILD_PARALLEL_LEVEL=1',
  ],
  [/\berror: /, 'a source file does not compile', 'correct what the output above names'],
  [
    /undefined reference|ld returned/,
    'linking failed',
    'read the output above; a stale build is cleared by removing build/',
  ],
  [
    /CMake Error/,
    'CMake cannot configure the build',
    'read the output above; a stale build is cleared by removing build/',
  ],
];

function targetsOf(tests) {
  return tests ? [...TARGETS, TEST_TARGET] : TARGETS;
}

function key({ root, libtorch, debug }, inputs) {
  const { root: torchRoot, version, cudaVersion, file } = libtorch;
  const place = relative(root, torchRoot).startsWith('..') ? torchRoot : relative(root, torchRoot);
  return fingerprint(root, inputs, { place, version, cudaVersion, file, debug, node: process.version });
}

function requireTools() {
  const needs = [
    ['CMake', ['cmake'], 'cmake'],
    ['a C++20 compiler', process.env.CXX ? [process.env.CXX.split(' ')[0]] : ['g++', 'clang++'], 'g++'],
    ['a build tool', ['ninja', 'make'], 'make'],
  ];
  const missing = needs.filter(
    ([, programs]) =>
      !programs.some((program) => (isAbsolute(program) ? existsSync(program) : which(program) !== null)),
  );
  if (missing.length === 0) return;
  const names = missing.map(([what, programs]) => `${what} (${programs.join(' or ')})`).join(', ');
  throw new StepError(`not found on PATH: ${names}`, {
    remedies: [`sudo apt-get install ${missing.map(([, , name]) => name).join(' ')}   (Debian, Ubuntu)`],
  });
}
