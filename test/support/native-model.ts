/** Opens a model as the addon gives it, below the API. */
import { join } from 'node:path';
import { readCheckpoint, WEIGHTS_FILE } from '../../dist/checkpoint/checkpoint';
import { loadAddon } from '../../dist/native/binding';
import type { NativeModel } from '../../dist/native/surface';

/** Loads a checkpoint without an adapter on the CPU; `change` replaces fields of the specification. */
export async function loadNativeModel(dir: string, change: object = {}): Promise<NativeModel> {
  const { recipe, vision, language } = await readCheckpoint(dir);
  const addon = loadAddon();
  const directories = { visionDir: vision.dir, languageDir: language.dir, adapterDir: '', mergeAdapter: true };
  const spec = {
    ...directories,
    weightsFile: join(dir, WEIGHTS_FILE),
    recipe,
    device: 'cpu',
    dtype: 'float32',
    ...change,
  };
  return addon.loadModel(spec, addon.createCancelToken(), null);
}
