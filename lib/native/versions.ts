/** What computed a result, for keys of what is kept on the disk: a text or a volume of another version is made anew. */

import { packageVersion } from '../base/version';
import { libtorchVersion } from './binding';

/**
 * Counts up whenever a preprocessed volume may come out otherwise for the same image: reading, brain extraction, masks,
 * padding, percentiles, resizing. It is part of every key of the cache and of every file of generated texts, and a training
 * run is not resumed under another one.
 */
export const PREPROCESSING_VERSION = 2;

export interface Versions {
  brain3d: string;
  /** Of the LibTorch that is loaded, as `2.13.0`. */
  torch: string;
  preprocessing: number;
}

/** Of this process. @throws {Brain3DError} BRAIN3D_ADDON, BRAIN3D_LIBTORCH */
export function currentVersions(): Versions {
  return { brain3d: packageVersion(), torch: libtorchVersion(), preprocessing: PREPROCESSING_VERSION };
}
