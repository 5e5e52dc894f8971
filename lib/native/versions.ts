/**
 * The versions that computed a result. They are part of the keys of stored files, so that a text or a volume of another
 * version is made anew.
 */

import { packageVersion } from '../base/version';
import { libtorchVersion } from './binding';

/**
 * This version increases whenever a preprocessed volume may differ for the same image: reading, brain extraction,
 * masks, padding, percentiles, resizing. It is part of every key of the cache and of every file of generated texts, and
 * a training run is not resumed under another one.
 */
export const PREPROCESSING_VERSION = 2;

export interface Versions {
  brain3d: string;
  /** The version of the LibTorch that is loaded, such as `2.13.0`. */
  torch: string;
  preprocessing: number;
}

/** Returns the versions of this process. @throws {Brain3DError} BRAIN3D_ADDON, BRAIN3D_LIBTORCH */
export function currentVersions(): Versions {
  return { brain3d: packageVersion(), torch: libtorchVersion(), preprocessing: PREPROCESSING_VERSION };
}
