/** Writes safetensors files from JavaScript arrays. */
import { loadAddon } from './binding';
import { callNative } from './call';
import type { NativeTensor } from './surface';

/** Writes float32 tensors atomically; the arrays must not change until the promise settles. */
export async function writeTensors(
  path: string,
  tensors: NativeTensor[],
  metadata: Record<string, string> = {},
  signal?: AbortSignal,
): Promise<void> {
  const addon = loadAddon();
  await callNative(addon, signal, (token) => addon.writeTensors(path, tensors, metadata, token));
}
