/** Chooses the device and the dtype of a model. */
import * as v from 'valibot';
import { is } from '../base/validate';
import type { NativeAddon } from './surface';

/** The dtypes that a model computes in; `auto` chooses by the device. */
export const DTYPES = ['auto', 'float32', 'bfloat16'] as const;

/** The names of devices. */
export const DEVICE = /^(auto|cpu|cuda(:\d+)?)$/;

/** The option of every function that runs on a device. */
export const deviceEntry = {
  /** `auto` takes the first CUDA device and falls back to the CPU with a warning; a named device never falls back. */
  device: v.optional(v.pipe(is.text(), v.regex(DEVICE, 'expected auto, cpu, cuda or cuda:N'))),
};

/** The option of every function that loads a model. */
export const dtypeEntry = {
  /** `auto` is bfloat16 on CUDA and float32 on the CPU. */
  dtype: v.optional(is.oneOf(DTYPES)),
};

/**
 * Chooses the device. `auto` takes CUDA if there is a device, otherwise the CPU with a warning if this build could have
 * used CUDA.
 */
export function chooseDevice(addon: NativeAddon, wanted: string): { device: string; warning: string | null } {
  if (wanted !== 'auto') return { device: wanted === 'cuda' ? 'cuda:0' : wanted, warning: null };
  const [first] = addon.systemInfo().cudaDevices;
  if (first !== undefined) return { device: first.name, warning: null };
  const hasKernels = addon.buildInfo().cudaVersion !== null;
  const warning = hasKernels ? 'no CUDA device is visible: running on the CPU (see `brain3d doctor`)' : null;
  return { device: 'cpu', warning };
}

/** Chooses the dtype. `auto` is bfloat16 on CUDA, and float32 on the CPU, whose bfloat16 is slower than its float32. */
export function chooseDtype(device: string, wanted: string): string {
  if (wanted !== 'auto') return wanted;
  return device.startsWith('cuda') ? 'bfloat16' : 'float32';
}
