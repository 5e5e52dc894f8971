/** Describes what this installation has and lacks. It works, and says why, when the addon cannot be loaded. */
import { availableParallelism, freemem, totalmem } from 'node:os';
import { packageVersion, versionOf } from '../base/version';
import { findDcm2niix } from '../dicom/dicom';
import { describeBinding, loadAddon } from '../native/binding';
import type { LibTorchCandidate } from '../native/libtorch';
import type { NativeBuildInfo, NativeDeviceInfo } from '../native/surface';

export interface Diagnosis {
  brain3d: string;
  node: string;
  platform: string;
  arch: string;
  /** null where the C library is another one. */
  glibc: string | null;
  addon: { path: string; build: NativeBuildInfo | null } | null;
  libtorch: LibTorchCandidate | null;
  /** Every place looked at for LibTorch, in order. */
  libtorchCandidates: LibTorchCandidate[];
  cpu: { cores: number /** The number of threads LibTorch computes with. */; threads: number | null };
  memory: { totalBytes: number; freeBytes: number };
  cudaDevices: NativeDeviceInfo[];
  /** The version of the DICOM converter; null if it is not installed. */
  dcm2niix: string | null;
  /** Facts worth knowing that do not keep brain3d from working. */
  notes: string[];
  /** The problems that keep brain3d from working, each with a remedy. */
  problems: string[];
}

/** Loads the addon if possible. Does not throw. */
export function diagnose(): Diagnosis {
  const binding = describeBinding();
  const dcm2niix = findDcm2niix();
  const diagnosis: Diagnosis = {
    brain3d: packageVersion(),
    node: process.versions.node,
    platform: process.platform,
    arch: process.arch,
    glibc: glibcVersion(),
    addon: binding.addonPath === null ? null : { path: binding.addonPath, build: null },
    libtorch: binding.candidates.find((candidate) => candidate.unfit === null) ?? null,
    libtorchCandidates: binding.candidates,
    cpu: { cores: availableParallelism(), threads: null },
    memory: { totalBytes: totalmem(), freeBytes: freemem() },
    cudaDevices: [],
    dcm2niix: dcm2niix === null ? null : versionOf(dcm2niix),
    notes: [],
    problems: [],
  };
  if (binding.problem === null) describeAddon(diagnosis);
  else diagnosis.problems.push(binding.problem.message);
  if (dcm2niix === null)
    diagnosis.notes.push('DICOM cannot be read: install @niivue/dcm2niix (npm install @niivue/dcm2niix)');
  return diagnosis;
}

function describeAddon(diagnosis: Diagnosis): void {
  try {
    const addon = loadAddon();
    const build = addon.buildInfo();
    const { cpuThreads, cudaDevices } = addon.systemInfo();
    if (diagnosis.addon !== null) diagnosis.addon.build = build;
    diagnosis.cpu.threads = cpuThreads;
    diagnosis.cudaDevices = cudaDevices;
    if (build.debug)
      diagnosis.notes.push('the addon is a debug build, many times slower (npm run build makes the other)');
    if (build.cudaVersion === null) diagnosis.notes.push('the addon is built without CUDA: everything runs on the CPU');
    else if (cudaDevices.length === 0)
      diagnosis.notes.push('no CUDA device is visible: check the driver (nvidia-smi) and CUDA_VISIBLE_DEVICES');
  } catch (error) {
    diagnosis.problems.push((error as Error).message);
  }
}

function glibcVersion(): string | null {
  const report = process.report;
  const { excludeNetwork } = report as typeof report & { excludeNetwork: boolean };
  // Resolving the addresses of open connections can take seconds.
  Object.assign(report, { excludeNetwork: true });
  const { header } = report.getReport() as { header: { glibcVersionRuntime?: string } };
  Object.assign(report, { excludeNetwork });
  return header.glibcVersionRuntime ?? null;
}
