/** Builds a manifest from the folders of the published datasets. */
import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import * as v from 'valibot';
import { Brain3DError, withCallerStack } from '../base/errors';
import { progressEntry } from '../base/progress';
import { byText } from '../base/sort';
import { is, parseOptions } from '../base/validate';
import { extractLaterality, type Laterality, peerLaterality } from '../reading/laterality';
import { inspectVolume } from '../volume/volume';
import { findBids } from './bids';
import { findBrats } from './brats';
import { type Composition, composition } from './composition';
import { healthyReport } from './healthy-reports';
import { type ImageKeyResult, readImageKeys } from './image-keys';
import { sameImages } from './leaks';
import {
  entryFault,
  type Manifest,
  type ManifestEntry,
  MODALITIES,
  NAME,
  type SkippedEntry,
  writeNewManifest,
} from './manifest';
import { refusePointer } from './pointer';
import { readReport } from './reports';
import { type DatasetProblem, type Found, type FoundScan, isScanFault } from './scans';
import { type Split, splitSubjects } from './split';
import { subjectIdentity } from './subject-identity';

export const LATERALITY_RULES = ['strict', 'peer'] as const;

const BuildSchema = v.object({
  /** The manifest to write (`.jsonl`). It must not exist, because a dataset is split only once. */
  out: is.text(),
  /** The folder of BraTS 2020; needs `reports`. */
  brats: v.optional(is.text()),
  /** The folder of TextBraTS. */
  reports: v.optional(is.text()),
  /** The folder of healthy controls in BIDS. */
  healthy: v.optional(is.text()),
  /** The modality of the healthy controls' images. @default 'FLAIR' */
  healthyModality: v.optional(is.oneOf(MODALITIES)),
  /** The seed of the split. @default 42 */
  seed: v.optional(is.integer(0, Number.MAX_SAFE_INTEGER)),
  /** The rule by which sides are read from reports. @default 'strict' */
  laterality: v.optional(is.oneOf(LATERALITY_RULES)),
  /** Whether a subject that cannot be used stops the build or is skipped. @default 'stop' */
  onError: v.optional(is.oneOf(['stop', 'skip'])),
  signal: v.optional(is.signal()),
  ...progressEntry,
  /** Called for each subject that cannot be used, before the build stops or goes on. */
  onProblem: v.optional(is.callback<(problem: DatasetProblem) => void>()),
});
export type BuildDatasetOptions = v.InferInput<typeof BuildSchema>;

export interface BuiltDataset extends Manifest {
  composition: Composition;
  seed: number;
}

/**
 * Finds the scans, reads them and their reports, divides the subjects and writes the manifest. All subjects are looked
 * at before the build stops because some cannot be used. `readManifest` accepts the manifest, and `checkDataset` finds
 * no error in it.
 * @throws {Brain3DError} the first problem's code; BRAIN3D_USAGE if `out` exists or no source is given
 */
export async function buildDataset(options: BuildDatasetOptions): Promise<BuiltDataset> {
  const parsed = parseOptions('buildDataset', BuildSchema, options);
  const seed = parsed.seed ?? 42;
  return withCallerStack(buildDataset, async () => {
    refuseUsage(parsed);
    const found = await findAll(parsed);
    const usable = await readAll(found, parsed);
    const problems = found.problems.sort((a, b) => byText(a.id, b.id));
    for (const problem of problems) parsed.onProblem?.(problem);
    if (problems.length > 0 && parsed.onError !== 'skip') throw stopped(problems, usable.length);
    if (usable.length === 0)
      throw new Brain3DError('BRAIN3D_NOT_FOUND', 'expected at least one scan that can be used, got none');
    const splits = splitSubjects(usable, seed);
    const entries = usable
      .map((entry): ManifestEntry => ({ ...entry, split: splits.get(entry.subject) as Split }))
      .sort((a, b) => byText(a.id, b.id));
    const skipped = skippedEntries(problems, new Set(entries.map(({ id }) => id)));
    if (!(await writeNewManifest(parsed.out, { entries, skipped }))) throw exists(parsed.out);
    return { entries, skipped, composition: composition(entries), seed };
  });
}

type Parsed = v.InferOutput<typeof BuildSchema>;
type Unsplit = Omit<ManifestEntry, 'split'>;

function refuseUsage({ out, brats, reports, healthy }: Parsed): void {
  if ((brats === undefined) !== (reports === undefined))
    throw new Brain3DError('BRAIN3D_USAGE', 'expected brats and reports together, got one without the other');
  if (brats === undefined && healthy === undefined)
    throw new Brain3DError('BRAIN3D_USAGE', 'expected brats with reports, or healthy, or all three; got none');
  if (existsSync(out)) throw exists(out);
}

function exists(out: string): Brain3DError {
  const file = basename(out);
  const message = `'${file}' exists, and its split must not be made anew; give a new name, or remove it first`;
  return new Brain3DError('BRAIN3D_USAGE', message, { file });
}

/** Makes one entry for each problem, with an id that no other line of the manifest has. */
function skippedEntries(problems: readonly DatasetProblem[], taken: Set<string>): SkippedEntry[] {
  return problems.map(({ code: _, message, ...about }) => {
    let id = about.id;
    for (let count = 2; taken.has(id); count++) id = `${about.id} (${count})`;
    taken.add(id);
    return { ...about, id, skipped: { reason: message } };
  });
}

/**
 * Finds the scans of all sources. A subject that two sources share is a problem, because nothing could tell the two
 * apart.
 */
async function findAll({ brats, reports, healthy, healthyModality }: Parsed): Promise<Found> {
  const found: Found = { scans: [], problems: [] };
  const sources = [
    brats === undefined || reports === undefined ? null : await findBrats(brats, reports),
    healthy === undefined ? null : await findBids(healthy, healthyModality ?? 'FLAIR'),
  ];
  const owners = new Map<string, string>();
  const ids = new Set<string>();
  for (const source of sources) {
    found.problems.push(...(source?.problems ?? []));
    for (const scan of source?.scans ?? []) {
      const identity = subjectIdentity(scan.subject);
      const owner = owners.get(identity) ?? scan.source;
      owners.set(identity, owner);
      const refuse = (message: string) => found.problems.push(problem(scan, 'BRAIN3D_USAGE', message));
      if (owner !== scan.source) refuse(`the subject is in ${owner} and in ${scan.source}; rename one`);
      else if (!NAME.test(scan.id)) refuse('expected a name of letters, digits, . _ + - only');
      else if (ids.has(scan.id)) refuse('another scan has the same name; rename one');
      else found.scans.push(scan);
      ids.add(scan.id);
    }
  }
  return found;
}

/** Reads headers, reports and images. Scans that fail are added to the problems. */
async function readAll(found: Found, options: Parsed): Promise<Unsplit[]> {
  const readable: Unsplit[] = [];
  const { laterality, signal, onProgress } = options;
  const extract = laterality === 'peer' ? peerLaterality : (report: string) => extractLaterality(report).side;
  for (const [done, scan] of found.scans.entries()) {
    onProgress?.({ stage: 'headers', done, total: found.scans.length });
    signal?.throwIfAborted();
    try {
      for (const file of [scan.image, scan.segmentation]) if (file !== undefined) await readHeader(file, signal);
      const entry = await describe(scan, extract, signal);
      const fault = entryFault(entry);
      if (fault === null) readable.push(entry);
      else found.problems.push(problem(scan, 'BRAIN3D_CONFIG', fault));
    } catch (error) {
      if (!isScanFault(error)) throw error;
      found.problems.push(problem(scan, error.code, error.message));
    }
  }
  return withOwnImages(readable, found, options);
}

async function readHeader(path: string, signal: AbortSignal | undefined): Promise<void> {
  await refusePointer(path, 'an image');
  await inspectVolume(path, { signal });
}

/**
 * Keeps the scans whose image no other subject has. Where two subjects have the same image, nothing says whose it is,
 * and in two splits the test would use an image that was trained on.
 */
async function withOwnImages(scans: readonly Unsplit[], found: Found, options: Parsed): Promise<Unsplit[]> {
  const { signal, onProgress } = options;
  const onDone = (done: number, total: number) => onProgress?.({ stage: 'images', done, total });
  const results = await readImageKeys(scans, { signal, onDone });
  const keys = new Map<string, string | null>();
  const refused = new Set<string>();
  const refuse = (scan: Unsplit, code: DatasetProblem['code'], message: string): void => {
    refused.add(scan.id);
    found.problems.push(problem(scan, code, message));
  };
  for (const scan of scans) {
    const result = results.get(scan.id) as ImageKeyResult;
    if ('key' in result) keys.set(scan.id, result.key);
    else refuse(scan, result.code, result.message);
  }
  for (const group of sameImages(scans, keys)) {
    if (new Set(group.map(({ subject }) => subjectIdentity(subject))).size === 1) continue;
    for (const scan of group) {
      const others = group.filter(({ id }) => id !== scan.id).map(({ id }) => id);
      refuse(scan, 'BRAIN3D_USAGE', `the same image as ${others.join(', ')}, of another subject; remove what is wrong`);
    }
  }
  return scans.filter(({ id }) => !refused.has(id));
}

async function describe(
  { reportFile, ...scan }: FoundScan,
  extract: (report: string) => Laterality,
  signal: AbortSignal | undefined,
): Promise<Unsplit> {
  if (reportFile === null) return { ...scan, report: healthyReport(scan.subject, scan.modality), laterality: 'none' };
  const report = await readReport(reportFile, signal);
  return { ...scan, report, laterality: extract(report) };
}

function problem(scan: FoundScan | Unsplit, code: DatasetProblem['code'], message: string): DatasetProblem {
  const { id, subject, session, source, class: kind } = scan;
  return { id, subject, session, source, class: kind, code, message };
}

function stopped(problems: DatasetProblem[], usable: number): Brain3DError {
  const [{ id, code, message }] = problems as [DatasetProblem];
  const others = problems.length === 1 ? '' : `; so are ${problems.length - 1} more`;
  return new Brain3DError(
    code,
    `${id} cannot be used: ${message}${others} (${usable} can be); put it right, or leave out what cannot be used with ` +
      '--on-error skip (API: onError)',
  );
}
