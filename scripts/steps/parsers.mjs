// The step that builds the parsers under sanitizers (test/fuzz/CMakeLists.txt), for `npm test` only. It needs neither
// torch nor Node.
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { runExplained, which } from './command.mjs';
import { fingerprint, readStamp, withTimesOfLastBuild, writeStamp } from './stamp.mjs';

const INPUTS = [
  'native/base',
  'native/io',
  'native/weights',
  'native/models',
  'test/fuzz',
  'test/native/io',
  'test/native/weights',
  'third_party',
];
export const PARSERS_DIR = join('build', 'parsers');
const PROGRAMS = ['parser_tests', 'fuzz_replay', 'allocation_faults'];

export const parsers = {
  name: 'Parsers under sanitizers',
  doing: 'compiling them with AddressSanitizer and UndefinedBehaviorSanitizer (a minute the first time)',

  isUpToDate({ root }) {
    return (
      PROGRAMS.every((name) => existsSync(join(root, PARSERS_DIR, name))) && readStamp(root, 'parsers') === key(root)
    );
  },

  async run({ root, verbose, progress }) {
    const before = key(root);
    const build = join(root, PARSERS_DIR);
    const options = { cwd: root, verbose, onLine: (line) => progress.watch(line), symptoms: SYMPTOMS };
    const source = join(root, 'test', 'fuzz');
    const jobs = process.env.CMAKE_BUILD_PARALLEL_LEVEL ?? String(availableParallelism());
    await withTimesOfLastBuild(root, 'parsers-times', INPUTS, join(build, '.ninja_log'), async () => {
      await runExplained('cmake', ['-S', source, '-B', build, ...generatorFor(source, build)], options);
      await runExplained('cmake', ['--build', build, '--parallel', jobs], options);
    });
    writeStamp(root, 'parsers', before);
  },
};

/** CMake refuses another source directory than its cache's, so that of a checkout that was elsewhere is removed; and Ninja,
 * where there is one, is what a cache is made for. */
function generatorFor(source, build) {
  const file = join(build, 'CMakeCache.txt');
  const cache = existsSync(file) ? readFileSync(file, 'utf8') : '';
  if (cache.includes(`CMAKE_HOME_DIRECTORY:INTERNAL=${source}\n`)) return [];
  rmSync(build, { recursive: true, force: true });
  return which('ninja') === null ? [] : ['-G', 'Ninja'];
}

const SYMPTOMS = [
  [
    /cannot find -lasan|cannot find .*lib(asan|ubsan)/,
    'the compiler has no sanitizers',
    'install those of your compiler',
  ],
  [/\berror: /, 'a source file does not compile', 'correct what the output above names'],
];

function key(root) {
  return fingerprint(root, INPUTS, {});
}
