/** The command `brain3d doctor`, which shows what this installation has and lacks. */
import type { Command } from 'commander';
import { type Diagnosis, diagnose } from '../inspect/doctor';
import { describeCandidate } from '../native/libtorch';
import { gibibytes, print, printJson, printTable, styled } from './output';

export function addDoctor(program: Command): void {
  program
    .command('doctor')
    .summary('what this installation has and lacks')
    .description('Versions, LibTorch, devices, memory; what is missing and what to do. Status 1 if something is.')
    .option('--json', 'print one JSON document')
    .addHelpText('after', '\nExample:\n  brain3d doctor')
    .action((flags: { json?: true }) => {
      const diagnosis = diagnose();
      if (flags.json) printJson(diagnosis);
      else show(diagnosis);
      if (diagnosis.problems.length > 0) process.exitCode = 1;
    });
}

function show(diagnosis: Diagnosis): void {
  const { addon, cpu, memory, cudaDevices, notes, problems } = diagnosis;
  const build = addon?.build;
  printTable([
    ['brain3d', diagnosis.brain3d],
    ['node', `${diagnosis.node} on ${diagnosis.platform}-${diagnosis.arch}, glibc ${diagnosis.glibc ?? 'none'}`],
    ['addon', addon?.path ?? 'not found'],
    ['built for', build ? `LibTorch ${build.torchVersion}, ${cuda(build.cudaVersion)}, ${build.compiler}` : 'unknown'],
    ...diagnosis.libtorchCandidates.map((candidate) => ['LibTorch', describeCandidate(candidate)] as const),
    ['CPU', `${cpu.cores} cores, ${cpu.threads ?? 'unknown'} threads`],
    ['memory', `${gibibytes(memory.freeBytes)} free of ${gibibytes(memory.totalBytes)}`],
    ...cudaDevices.map(
      ({ name, description, capability, freeBytes, totalBytes }) =>
        [name, `${description} (${capability}), ${gibibytes(freeBytes)} free of ${gibibytes(totalBytes)}`] as const,
    ),
    ['DICOM', diagnosis.dcm2niix === null ? 'no' : `dcm2niix ${diagnosis.dcm2niix}`],
  ]);
  print('');
  for (const note of notes) print(`${styled('yellow', 'note')}     ${note}`);
  for (const problem of problems) print(`${styled('red', 'problem')}  ${problem}`);
  if (problems.length === 0) print(styled('green', 'brain3d works here.'));
}

function cuda(version: string | null): string {
  return version === null ? 'CPU only' : `CUDA ${version}`;
}
