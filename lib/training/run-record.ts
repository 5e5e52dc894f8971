/**
 * `run.json` records what a phase was started with. A resumed run must be the same in everything that decides its
 * result.
 */
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import * as v from 'valibot';
import { Brain3DError } from '../base/errors';
import { SPLITS } from '../dataset/split';
import { parseStored, writeStored } from '../files/stored';
import { hashId } from './log';
import { TRAINING_PHASES } from './phases';
import type { Scan } from './scans';

export const RUN_FILE = 'run.json';
/** Version 2 has full digests of everything that a run starts from, and its scans. */
const RUN_FORMAT = 3;

const digest = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));
const ScanSchema = v.object({
  /** The digest of the id with the salt, as in the log. */
  sample: v.string(),
  split: v.picklist(SPLITS),
  /** The digest of image, orientation, recipe and skull-stripping. */
  input: digest,
  report: digest,
});
const Schema = v.object({
  format: v.literal('brain3d-training-run'),
  format_version: v.literal(RUN_FORMAT),
  phase: v.picklist(TRAINING_PHASES),
  /** The versions with which the run began. */
  versions: v.object({ brain3d: v.string(), torch: v.string() }),
  settings: v.record(v.string(), v.unknown()),
  /** The kind of device, `cpu` or `cuda`. */
  device: v.string(),
  dtype: v.string(),
  manifest_sha256: digest,
  model: v.object({
    weights_sha256: digest,
    adapter_sha256: v.nullable(digest),
    adapter_config_sha256: v.nullable(digest),
    /** The digest of every byte of the backbones' files: weights, configuration, tokenizer. */
    vision: digest,
    language: digest,
    recipe: v.record(v.string(), v.unknown()),
    prompt: v.string(),
    eos_token_ids: v.array(v.number()),
  }),
  /** The scans in the order in which they are counted: those that train, then those that validate. */
  scans: v.array(ScanSchema),
  /** The salt of the ids in the log. */
  salt: v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/)),
});
export type RunRecord = v.InferOutput<typeof Schema>;
/** The facts that decide the result, without the scans, and the versions with which the run began. */
export type RunFacts = Omit<RunRecord, 'format' | 'format_version' | 'salt' | 'scans'>;

/** Settings that may differ on resume. They change memory and disk use, not the mathematics. */
const FREE = new Set(['micro_batch', 'recompute', 'logit_rows', 'save_steps'].map((key) => `settings.${key}`));

export async function writeRunRecord(path: string, facts: RunFacts, scans: readonly Scan[]): Promise<RunRecord> {
  const salt = randomBytes(16).toString('hex');
  const record: RunRecord = {
    format: 'brain3d-training-run',
    format_version: RUN_FORMAT,
    ...facts,
    scans: scans.map((scan) => toStored(scan, salt)),
    salt,
  };
  await writeStored(path, record);
  return record;
}

type StoredScan = v.InferOutput<typeof ScanSchema>;

function toStored({ id, split, input, reportSha256 }: Scan, salt: string): StoredScan {
  return { sample: hashId(salt, id), split, input, report: reportSha256 };
}

export async function readRunRecord(path: string): Promise<RunRecord> {
  const json = await readFile(path, 'utf8');
  const result = parseStored(Schema, json);
  if (result.isIntact) return result.value;
  if (parseStored(v.object({ format_version: v.picklist([1, 2]) }), json).isIntact)
    throw new Brain3DError(
      'BRAIN3D_CONFIG',
      `${RUN_FILE} was written by an earlier brain3d, which kept runs in another form; go on with that one, or ` +
        'start anew in another folder',
      { file: RUN_FILE, field: 'format_version' },
    );
  const field = result.field ?? undefined;
  throw new Brain3DError('BRAIN3D_FORMAT', `${RUN_FILE} is not as it was written (${field ?? 'no JSON'})`, {
    file: RUN_FILE,
    field,
  });
}

/** @throws {Brain3DError} BRAIN3D_CONFIG naming the first field that differs; versions may differ */
export function requireSameRun(
  { salt: _, format: _f, format_version: _v, scans: _s, ...begun }: RunRecord,
  now: RunFacts,
): void {
  const [before, after] = [flat({ ...begun, versions: null }), flat({ ...now, versions: null })];
  for (const field of new Set([...before.keys(), ...after.keys()])) {
    if (FREE.has(field) || before.get(field) === after.get(field)) continue;
    throw differs(
      field,
      `the run began with ${field} ${before.get(field) ?? 'not given'}, got ${after.get(field) ?? 'not given'}`,
    );
  }
}

/** Returns what a user should know if another version continues a run; null if the version is the same. */
export function otherVersions({ versions: begun }: RunRecord, { versions: now }: RunFacts): string | null {
  if (begun.brain3d === now.brain3d && begun.torch === now.torch) return null;
  const named = ({ brain3d, torch }: RunFacts['versions']) => `brain3d ${brain3d} and LibTorch ${torch}`;
  return `the run began with ${named(begun)} and goes on with ${named(now)}: results may differ by rounding`;
}

/**
 * Requires the same scans in the same order, with the same inputs and reports.
 * @param skipped ids of scans that are in the manifest and left out
 * @throws {Brain3DError} BRAIN3D_CONFIG saying which scans, or how many, differ in what
 */
export function requireSameScans(
  { salt, scans: begun }: Pick<RunRecord, 'salt' | 'scans'>,
  scans: readonly Scan[],
  skipped: readonly string[],
): void {
  const before = new Map(begun.map((scan) => [scan.sample, scan]));
  const now = scans.map((scan) => ({ id: scan.id, stored: toStored(scan, salt) }));
  const names = new Map([...scans.map(({ id }) => id), ...skipped].map((id) => [hashId(salt, id), id]));
  const present = new Set(now.map(({ stored }) => stored.sample));
  const gone = begun.filter(({ sample }) => !present.has(sample)).map(({ sample }) => names.get(sample) ?? null);
  const fresh = now.filter(({ stored }) => !before.has(stored.sample)).map(({ id }) => id);
  const changed = (field: Exclude<keyof StoredScan, 'sample'>) =>
    now
      .filter(({ stored }) => (before.get(stored.sample)?.[field] ?? stored[field]) !== stored[field])
      .map(({ id }) => id);
  const findings: [what: string, ids: (string | null)[]][] = [
    ['left out now', gone],
    ['new', fresh],
    ['in another split', changed('split')],
    ['of another image, orientation, size, percentiles or skull-stripping', changed('input')],
    ['with another report', changed('report')],
  ];
  for (const [what, ids] of findings) {
    if (ids.length > 0) throw differs('scans', `${listed(ids)} of the run's ${begun.length} scans ${what}`);
  }
  if (now.some(({ stored }, place) => begun[place]?.sample !== stored.sample))
    throw differs('scans', "the run's scans are in another order");
}

/** Formats a list such as `2 (a, b)`, without names for ids that nothing here knows. */
function listed(ids: readonly (string | null)[]): string {
  const known = ids.filter((id) => id !== null);
  const shown = known.slice(0, 3).join(', ') + (known.length > 3 ? ', ...' : '');
  return known.length === 0 ? String(ids.length) : `${ids.length} (${shown})`;
}

function differs(field: string, message: string): Brain3DError {
  const remedy = 'resume with what it began with, or start anew in another folder';
  return new Brain3DError('BRAIN3D_CONFIG', `${message}; ${remedy}`, { file: RUN_FILE, field });
}

/** Returns the leaves by path, as JSON. */
function flat(value: unknown, path = ''): Map<string, string> {
  if (value === null || typeof value !== 'object' || Array.isArray(value))
    return new Map([[path, JSON.stringify(value)]]);
  return new Map(Object.entries(value).flatMap(([key, item]) => [...flat(item, path === '' ? key : `${path}.${key}`)]));
}
