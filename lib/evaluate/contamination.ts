/**
 * Checks that models have not seen the cases: by the splits of the manifest, and by the models' records of their
 * training.
 */
import { basename } from 'node:path';
import { Brain3DError } from '../base/errors';
import type { TrainedOn } from '../checkpoint/trained-on';
import { type KnownImages, readImageKeys } from '../dataset/image-keys';
import { requireNoSharedImage } from '../dataset/leaks';
import type { ManifestEntry } from '../dataset/manifest';
import type { Split } from '../dataset/split';
import type { EvaluateOptions } from './options';

/** How many of the cases a model has seen. */
export interface SeenCases {
  /** The number of cases it was trained on. */
  train: number;
  /** The number of cases by which its best epoch was chosen. */
  val: number;
  /** False if the record of its training is incomplete, so that it may have seen more. */
  complete: boolean;
}

/**
 * Returns the keys of the images of all scans by id. Other splits are included, since a manifest may have an image
 * under two names.
 * @throws {Brain3DError} BRAIN3D_CONFIG if an image is in two splits
 */
export async function requireApart(
  all: readonly ManifestEntry[],
  split: Split,
  cache: KnownImages,
  { data, workers, signal, onProgress, onWarning }: EvaluateOptions,
): Promise<Map<string, string | null>> {
  const file = basename(data);
  const onDone = (done: number, total: number) => onProgress?.({ stage: 'images', done, total });
  const results = await readImageKeys(all, { cache, workers, signal, onDone });
  const keys = new Map<string, string | null>();
  let unread = 0;
  for (const { id, split: own } of all) {
    const result = results.get(id);
    if (result !== undefined && 'key' in result) keys.set(id, result.key);
    else if (own !== split) unread++;
  }
  if (unread > 0)
    onWarning?.(
      `${unread} scans of other splits cannot be read: whether one of them shows an evaluated image is not known`,
    );
  requireNoSharedImage(all, keys, file);
  return keys;
}

/**
 * Compares the cases with the images a model has seen.
 * @throws {Brain3DError} BRAIN3D_CONFIG if it has been trained on one of them and that is not allowed; the cases by
 *   which it was chosen are allowed where the validation split is evaluated
 */
export function requireUnseen(
  name: string,
  trainedOn: TrainedOn | undefined,
  cases: readonly ManifestEntry[],
  keys: ReadonlyMap<string, string | null>,
  { split = 'test', allowSeen = false, onWarning }: EvaluateOptions,
): SeenCases {
  if (trainedOn === undefined) return { train: 0, val: 0, complete: true };
  const within = (seen: ReadonlySet<string>) => cases.filter(({ id }) => seen.has(keys.get(id) ?? ''));
  const [train, val] = [within(trainedOn.train), within(trainedOn.val)];
  const refused = split === 'val' ? train : [...train, ...val];
  const [first] = refused;
  if (first !== undefined && !allowSeen) {
    const count = new Set(refused).size;
    const more = count === 1 ? '' : ` and ${count - 1} more`;
    throw new Brain3DError(
      'BRAIN3D_CONFIG',
      `${name} has been trained${train.length === 0 ? ' and chosen by' : ' on'} ${first.id}${more} of the ${cases.length} cases: ` +
        'its scores would say what it remembers; evaluate it on scans that it has not seen, or allow it with --allow-seen (API: allowSeen), which ' +
        'marks the results as contaminated',
      { field: 'split' },
    );
  }
  if (!trainedOn.complete)
    onWarning?.(`${name} does not say which images it has been trained on: whether it has seen the cases is not known`);
  return { train: train.length, val: val.length, complete: trainedOn.complete };
}

/** Returns the name of a row. The name of a contaminated row says so wherever it stands. */
export function rowName(name: string, { train, val }: SeenCases, cases: number): string {
  if (train > 0) return `${name} (contaminated: trained on ${train} of ${cases})`;
  return val > 0 ? `${name} (chosen by ${val} of ${cases})` : name;
}
