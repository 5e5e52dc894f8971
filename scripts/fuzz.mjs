#!/usr/bin/env node
// `npm run fuzz -- TARGET [--minutes N]` runs libFuzzer on one of the parsers (test/fuzz), starting from the committed
// corpus. It needs clang with libFuzzer. New inputs stay in build/fuzz/work/TARGET for the next run; an input that
// crashes goes to build/fuzz/findings/.
//   --merge   instead of fuzzing, adds to the committed corpus the inputs that reach code it does not reach yet
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ROOT } from './setup.mjs';
import { runExplained, StepError, which } from './steps/command.mjs';

const SOURCE = join(ROOT, 'test', 'fuzz');
const BUILD = join(ROOT, 'build', 'fuzz');
const CLANGS = ['clang', ...Array.from({ length: 15 }, (_, index) => `clang-${28 - index}`)];
/** The limits of one input: more memory or time is a finding. The time is by the clock, and the machine may be busy. */
const LIMITS = ['-max_len=65536', '-rss_limit_mb=512', '-timeout=60'];
/**
 * The limits of the committed corpus, which is read at every `npm test`: short inputs, one for each branch and not for
 * how often it is taken.
 */
const COMMITTED_LIMITS = ['-max_len=8192', '-use_counters=0'];

/** Returns the names of the targets: test/fuzz/<name>_target.cpp. */
export function targets() {
  return readdirSync(SOURCE).flatMap((file) => /^(.+)_target\.cpp$/.exec(file)?.[1] ?? []);
}

async function build(target) {
  const clang = CLANGS.find((name) => which(name) !== null && which(name.replace('clang', 'clang++')) !== null);
  if (clang === undefined) {
    throw new StepError('clang is not installed, and g++ has no libFuzzer', {
      remedies: ['sudo apt-get install clang-14 libclang-rt-14-dev   (Debian 12; elsewhere any clang from 14)'],
    });
  }
  const compilers = [`-DCMAKE_C_COMPILER=${clang}`, `-DCMAKE_CXX_COMPILER=${clang.replace('clang', 'clang++')}`];
  await runExplained('cmake', ['-S', SOURCE, '-B', BUILD, '-DBRAIN3D_LIBFUZZER=ON', ...compilers], { cwd: ROOT });
  const jobs = process.env.CMAKE_BUILD_PARALLEL_LEVEL ?? String(availableParallelism());
  await runExplained('cmake', ['--build', BUILD, '--target', `fuzz_${target}`, '-j', jobs], { cwd: ROOT });
}

async function main(args) {
  const { positionals, values } = parseArgs({
    args,
    allowPositionals: true,
    options: { minutes: { type: 'string', default: '1' }, merge: { type: 'boolean', default: false } },
  });
  const [target, ...more] = positionals;
  const minutes = Number(values.minutes);
  if (!targets().includes(target) || more.length > 0 || !(minutes > 0)) {
    console.error(`usage: npm run fuzz -- TARGET [--minutes N] [--merge]\nTARGET is one of ${targets().join(', ')}`);
    process.exitCode = 2;
    return;
  }
  await build(target);
  const work = join(BUILD, 'work', target);
  const findings = join(BUILD, 'findings');
  for (const directory of [work, findings]) mkdirSync(directory, { recursive: true });
  const committed = join(SOURCE, 'corpus', target);
  const dictionary = /json|safetensors/.test(target) ? [`-dict=${join(SOURCE, 'json.dict')}`] : [];
  const run = values.merge
    ? ['-merge=1', ...COMMITTED_LIMITS, committed, work]
    : [`-max_total_time=${Math.round(minutes * 60)}`, '-print_final_stats=1', ...dictionary, work, committed];
  const program = join(BUILD, `fuzz_${target}`);
  const child = spawn(program, [...LIMITS, `-artifact_prefix=${findings}/${target}-`, ...run], { stdio: 'inherit' });
  process.exitCode = await new Promise((resolve) => child.on('close', (code) => resolve(code ?? 1)));
  const found = existsSync(findings) ? readdirSync(findings).filter((file) => file.startsWith(`${target}-`)) : [];
  console.log(`fuzz ${target}: ${found.length} findings in build/fuzz/findings`);
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof StepError)) throw error;
  console.error([`fuzz: ${error.message}`, ...error.remedies, error.output].filter(Boolean).join('\n'));
  process.exitCode = 1;
}
