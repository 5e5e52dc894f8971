/** The command `brain3d preprocess --manifest`, which preprocesses a whole dataset into a cache. */
import { preprocessDataset } from '../dataset/cache';
import { checkStripOptions } from '../volume/skull-strip';
import { type StripFlags, stripOptions } from './options';
import { note } from './output';
import { withProgress } from './progress';

export interface PreprocessDatasetFlags extends StripFlags {
  manifest: string;
  out: string;
  workers?: number;
  onError?: 'stop' | 'skip';
  prune?: true;
}

export async function runPreprocessDataset(flags: PreprocessDatasetFlags, signal: AbortSignal): Promise<void> {
  const { manifest, out, workers, onError, prune } = flags;
  const strip = stripOptions(flags);
  checkStripOptions('preprocess', strip);
  const { counts, skipped, pruned } = await withProgress(({ update }) =>
    preprocessDataset({ manifest, out, workers, onError, prune, ...strip, signal, onProgress: update }),
  );
  for (const { id, reason } of skipped) note(`skipped ${id}: ${reason}`);
  const { made, kept, repaired } = counts;
  const details = [
    `${made} made`,
    `${kept} kept`,
    ...(repaired > 0 ? [`${repaired} made anew because they were damaged`] : []),
    ...(skipped.length > 0 ? [`${skipped.length} skipped`] : []),
    ...(pruned > 0 ? [`${pruned} unused files removed`] : []),
  ];
  note(`wrote ${out} (${details.join(', ')})`);
}
