/** Loads the committed head from which subjects are drawn. */
import { join } from 'node:path';
import { callNative } from '../native/call';
import type { NativeAddon, NativeAnatomy } from '../native/surface';

/** The folder lies beside `dist/`, in a checkout as in the package. */
const ASSETS = join(__dirname, '..', '..', 'assets', 'anatomy');

export function loadAnatomy(addon: NativeAddon, signal?: AbortSignal): Promise<NativeAnatomy> {
  const [t1, regions] = ['colin27_t1_1mm.nii.gz', 'colin27_regions_1mm.nii.gz'].map((name) => join(ASSETS, name));
  return callNative(addon, signal, (token) => addon.loadAnatomy(t1 as string, regions as string, token));
}
