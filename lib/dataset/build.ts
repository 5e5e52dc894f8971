/** From the folders of the published datasets to a manifest. */
import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import * as v from 'valibot';
import { Brain3DError, withCallerStack } from '../errors';
import { byText } from '../rng';
import { is, parseOptions } from '../validate';
import { inspectVolume } from '../volume';
import { findBids } from './bids';
import { findBrats } from './brats';
import { type Composition, composition } from './composition';
import { healthyReport } from './healthy-reports';
import { extractLaterality, type Laterality, peerLaterality } from './laterality';
import { type Manifest, type ManifestEntry, MODALITIES, NAME, writeManifest } from './manifest';
import { readReport } from './report-text';
import { type DatasetProblem, type Found, type FoundScan, isScanFault } from './scans';
import { type Split, splitSubjects } from './split';

export const LATERALITY_RULES = ['strict', 'peer'] as const;

const BuildSchema = v.object({
  /** Manifest to write (`.jsonl`); must not exist, because its split is not made twice. */
  out: is.text(),
  /** Folder of BraTS 2020; needs `reports`. */
  brats: v.optional(is.text()),
  /** Folder of TextBraTS. */
  reports: v.optional(is.text()),
  /** Folder of healthy controls in BIDS. */
  healthy: v.optional(is.text()),
  /** Which of their images. @default 'FLAIR' */
  healthyModality: v.optional(is.oneOf(MODALITIES)),
  /** Of the split. @default 42 */
  seed: v.optional(is.integer(0, Number.MAX_SAFE_INTEGER)),
  /** How sides are read from reports. @default 'strict' */
  laterality: v.optional(is.oneOf(LATERALITY_RULES)),
  /** What a subject that cannot be used does. @default 'stop' */
  onError: v.optional(is.oneOf(['stop', 'skip'])),
  signal: v.optional(is.signal()),
  onProgress: v.optional(is.callback<(progress: { stage: string; done: number; total: number }) => void>()),
  /** Called for each subject that cannot be used, before the build stops or goes on. */
  onProblem: v.optional(is.callback<(problem: DatasetProblem) => void>()),
});
export type BuildDatasetOptions = v.InferInput<typeof BuildSchema>;

export interface BuiltDataset extends Manifest {
  composition: Composition;
  seed: number;
}

/**
 * Finds the scans, reads headers and reports, divides the subjects and writes the manifest. All subjects are looked at
 * before it stops because some cannot be used.
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
    const skipped = problems.map(({ code: _, message, ...subject }) => ({ ...subject, skipped: { reason: message } }));
    await writeManifest(parsed.out, { entries, skipped });
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
  if (!existsSync(out)) return;
  const file = basename(out);
  const message = `'${file}' exists, and its split must not be made anew; give a new name, or remove it first`;
  throw new Brain3DError('BRAIN3D_USAGE', message, { file });
}

/** The scans of all sources. Ids that two of them share are problems: nothing could tell the subjects apart. */
async function findAll({ brats, reports, healthy, healthyModality }: Parsed): Promise<Found> {
  const found: Found = { scans: [], problems: [] };
  const sources = [
    brats === undefined || reports === undefined ? null : await findBrats(brats, reports),
    healthy === undefined ? null : await findBids(healthy, healthyModality ?? 'FLAIR'),
  ];
  const owners = new Map<string, string>();
  for (const source of sources) {
    found.problems.push(...(source?.problems ?? []));
    for (const scan of source?.scans ?? []) {
      const owner = owners.get(scan.subject) ?? scan.source;
      owners.set(scan.subject, owner);
      if (owner !== scan.source)
        found.problems.push(
          problem(scan, 'BRAIN3D_USAGE', `the subject is in ${owner} and in ${scan.source}; rename one`),
        );
      else if (!NAME.test(scan.id))
        found.problems.push(problem(scan, 'BRAIN3D_USAGE', 'expected a name of letters, digits, . _ + - only'));
      else found.scans.push(scan);
    }
  }
  return found;
}

/** Reads header and report of each scan; what fails joins the problems. */
async function readAll(found: Found, { laterality, signal, onProgress }: Parsed): Promise<Unsplit[]> {
  const usable: Unsplit[] = [];
  const extract = laterality === 'peer' ? peerLaterality : (report: string) => extractLaterality(report).side;
  for (const [done, scan] of found.scans.entries()) {
    onProgress?.({ stage: 'headers', done, total: found.scans.length });
    signal?.throwIfAborted();
    try {
      await inspectVolume(scan.image, { signal });
      usable.push(await describe(scan, extract, signal));
    } catch (error) {
      if (!isScanFault(error)) throw error;
      found.problems.push(problem(scan, error.code, error.message));
    }
  }
  return usable;
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

function problem(scan: FoundScan, code: DatasetProblem['code'], message: string): DatasetProblem {
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
