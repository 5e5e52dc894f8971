/** Checks that a dataset is what its manifest says. */
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import * as v from 'valibot';
import { withCallerStack } from '../base/errors';
import { progressEntry } from '../base/progress';
import { is, parseOptions } from '../base/validate';
import { readWhole } from '../files/digest';
import { extractLaterality, peerLaterality } from '../reading/laterality';
import { inspectVolume } from '../volume/volume';
import { type Composition, composition } from './composition';
import { type ImageKeyResult, readImageKeys } from './image-keys';
import { sameImages } from './leaks';
import { type ManifestEntry, readManifest, type SkippedEntry } from './manifest';
import { refusePointer } from './pointer';
import { cleanReport } from './reports';
import { isScanFault } from './scans';
import { findLeaks } from './split';
import { subjectIdentity } from './subject-identity';

const CheckSchema = v.object({
  signal: v.optional(is.signal()),
  ...progressEntry,
});
export type CheckDatasetOptions = v.InferInput<typeof CheckSchema>;

/** An `error` means that training on the dataset would be wrong; a `warning`, that someone should look. */
export interface Finding {
  level: 'error' | 'warning';
  /** The id of the scan or the name of the subject. */
  id: string;
  message: string;
}

export interface DatasetCheck {
  findings: Finding[];
  composition: Composition;
  skipped: SkippedEntry[];
}

/**
 * Reads every header and every byte of a manifest's files and returns the faults in the manifest's order.
 * @throws {Brain3DError} as `readManifest`: a manifest that cannot be read has no findings
 */
export async function checkDataset(manifest: string, options: CheckDatasetOptions = {}): Promise<DatasetCheck> {
  const { signal, onProgress } = parseOptions('checkDataset', CheckSchema, options);
  return withCallerStack(checkDataset, async () => {
    const { entries, skipped } = await readManifest(manifest);
    const keys = new Map<string, string | null>();
    const findings = entries.map((): Finding[] => []);
    let done = 0;
    await eachConcurrently(entries, async (entry, index) => {
      signal?.throwIfAborted();
      onProgress?.({ stage: 'files', done: done++, total: entries.length });
      findings[index] = [...(await checkFiles(entry, signal)), ...checkReport(entry)];
    });
    const onDone = (images: number, total: number) => onProgress?.({ stage: 'images', done: images, total });
    const results = await readImageKeys(entries, { signal, onDone });
    for (const [index, { id }] of entries.entries()) {
      const result = results.get(id) as ImageKeyResult;
      const own = findings[index] as Finding[];
      if ('key' in result) keys.set(id, result.key);
      else if (!own.some(({ level }) => level === 'error')) own.push(error(id, result.message));
    }
    return {
      findings: [...findings.flat(), ...leaks(entries), ...duplicates(entries, keys), ...repeatedReports(entries)],
      composition: composition(entries),
      skipped,
    };
  });
}

/** Runs a few checks at once to use the cores: hashing and inflating run on the thread pool. */
async function eachConcurrently<T>(
  items: readonly T[],
  work: (item: T, index: number) => Promise<void>,
): Promise<void> {
  const queue = items.entries();
  const lanes = Array.from({ length: availableParallelism() }, async () => {
    for (const [index, item] of queue) await work(item, index);
  });
  await Promise.all(lanes);
}

async function checkFiles(entry: ManifestEntry, signal: AbortSignal | undefined): Promise<Finding[]> {
  const findings: Finding[] = [];
  const attempt = async (file: string, work: () => Promise<void>) => {
    try {
      if (existsSync(file)) await refusePointer(file, 'an image');
      await work();
    } catch (failure) {
      if (!isScanFault(failure)) throw failure;
      findings.push(error(entry.id, failure.message));
    }
  };
  const { orientation } = entry;
  const overrideOrientation = orientation !== undefined;
  await attempt(entry.image, async () => {
    const info = await inspectVolume(entry.image, { orientation, overrideOrientation, signal });
    for (const message of info.warnings) findings.push(warning(entry.id, message));
    await readWhole(entry.image, signal);
  });
  const { segmentation } = entry;
  if (segmentation !== undefined)
    await attempt(
      segmentation,
      async () => void (await inspectVolume(segmentation, { orientation, overrideOrientation, signal })),
    );
  return findings;
}

function checkReport({ id, report, laterality }: ManifestEntry): Finding[] {
  const findings: Finding[] = [];
  if (cleanReport(report) !== report)
    findings.push(error(id, 'expected a cleaned report (one line, single spaces, a full stop at the end)'));
  const read = extractLaterality(report);
  if (laterality === 'none') {
    if (read.side !== 'unknown') findings.push(warning(id, `a healthy subject's report names a side (${read.side})`));
  } else if (read.side !== laterality) {
    const peer = peerLaterality(report) === laterality ? ", as the authors' rule (peer) has it" : '';
    const notes = read.notes.length === 0 ? '' : ` (${read.notes.join('; ')})`;
    findings.push(warning(id, `laterality is ${laterality}${peer}, its report reads as ${read.side}${notes}`));
  }
  return findings;
}

function leaks(entries: readonly ManifestEntry[]): Finding[] {
  return findLeaks(entries).map(([subject, splits]) =>
    error(subject, `the subject's scans are in ${splits.join(' and ')}; a subject belongs to one split`),
  );
}

/**
 * Finds images that occur twice. Across splits this is a leak; within a split the image counts twice without intention.
 */
function duplicates(entries: readonly ManifestEntry[], keys: ReadonlyMap<string, string | null>): Finding[] {
  return sameImages(entries, keys).map(([first, ...others]) => {
    const names = others.map(({ id }) => id).join(', ');
    const splits = new Set([first, ...others].map(({ split }) => split));
    const isSubject = others.every(({ subject }) => subjectIdentity(subject) === subjectIdentity(first.subject));
    const message = `the same image as ${names}${splits.size > 1 ? `, in splits ${[...splits].join(' and ')}` : ''}`;
    return isSubject && splits.size === 1 ? warning(first.id, message) : error(first.id, message);
  });
}

/** Finds reports that occur twice, except those of healthy subjects, who share a few sentences by design. */
function repeatedReports(entries: readonly ManifestEntry[]): Finding[] {
  const byReport = new Map<string, [ManifestEntry, ...ManifestEntry[]]>();
  for (const entry of entries.filter(({ class: kind }) => kind !== 'healthy')) {
    const group = byReport.get(entry.report);
    if (group === undefined) byReport.set(entry.report, [entry]);
    else group.push(entry);
  }
  const repeated = [...byReport.values()].filter((group) => group.length > 1);
  return repeated.map(([first, ...others]) =>
    warning(first.id, `the same report as ${others.map(({ id }) => id).join(', ')}`),
  );
}

function error(id: string, message: string): Finding {
  return { level: 'error', id, message };
}

function warning(id: string, message: string): Finding {
  return { level: 'warning', id, message };
}
