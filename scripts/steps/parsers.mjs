// The step that builds the parsers under sanitizers (test/fuzz/CMakeLists.txt), for `npm test` only. It needs neither
// torch nor Node.
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { runExplained } from './command.mjs';
import { fingerprint, readStamp, writeStamp } from './stamp.mjs';

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
    const onLine = (line) => {
      const step = /^\[(\d+\/\d+| *\d+%)\]/.exec(line);
      if (step) progress.update(step[1].trim());
    };
    const options = { cwd: root, verbose, onLine, symptoms: SYMPTOMS };
    await runExplained('cmake', ['-S', join(root, 'test', 'fuzz'), '-B', build], options);
    const jobs = process.env.CMAKE_BUILD_PARALLEL_LEVEL ?? String(availableParallelism());
    await runExplained('cmake', ['--build', build, '-j', jobs], options);
    writeStamp(root, 'parsers', before);
  },
};

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
