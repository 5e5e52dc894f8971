/** Selects the scans of a split to evaluate, and the reports of the training split for a control. */
import { basename } from 'node:path';
import { Brain3DError } from '../base/errors';
import { requireNoLeak } from '../dataset/leaks';
import { type ManifestEntry, readManifest } from '../dataset/manifest';
import type { Split } from '../dataset/split';
import { digestFile } from '../files/digest';

export interface Cases {
  /** The scans of the split, in the manifest's order. */
  entries: ManifestEntry[];
  /** The scans of all splits. */
  all: ManifestEntry[];
  /** The scans of the training split. */
  training: ManifestEntry[];
  manifest: { name: string; sha256: string };
}

/** @throws {Brain3DError} as `readManifest`; BRAIN3D_CONFIG if the split has no scan, or a subject is in two */
export async function selectCases(data: string, split: Split, signal?: AbortSignal): Promise<Cases> {
  const { entries: all } = await readManifest(data);
  const name = basename(data);
  requireNoLeak(all, name);
  const entries = all.filter((entry) => entry.split === split);
  if (entries.length === 0)
    throw new Brain3DError('BRAIN3D_CONFIG', `${name}: expected scans of the split '${split}', got none`, {
      file: name,
      field: 'split',
    });
  const training = all.filter((entry) => entry.split === 'train');
  return { entries, all, training, manifest: { name, sha256: await digestFile(data, signal) } };
}
