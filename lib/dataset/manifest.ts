/**
 * Reads and writes the manifest of a dataset, which has one JSON object on a line for each scan. The fields and rules
 * are in docs/datasets.md.
 */
import { basename, dirname, resolve } from 'node:path';
import * as v from 'valibot';
import { Brain3DError, withCallerStack } from '../base/errors';
import { writeFileAtomic, writeNewFileAtomic } from '../files/atomic-file';
import { describeUnquoted } from '../files/describe';
import { checkFields, fieldFault, readJsonLines } from '../files/json';
import { portablePath } from '../files/portable-path';
import { SIDES } from '../reading/laterality';
import { SPLITS } from './split';

export const CLASSES = ['glioma', 'healthy'] as const;
export const MODALITIES = ['FLAIR', 'T2w'] as const;
export const MIN_REPORT_CHARACTERS = 20;
/** The size limit of a manifest. It is enough for a hundred thousand scans with reports of 600 characters. */
const MAX_MANIFEST_BYTES = 128 * 2 ** 20;

/** An id or a subject. It is also a file's name, so it has no character in which a path could hide. */
export const NAME = /^[A-Za-z0-9][\w.+-]{0,127}$/;

const text = () => v.pipe(v.string('a text'), v.minLength(1, 'a text that is not empty'));
const name = () =>
  v.pipe(v.string('a text'), v.regex(NAME, 'letters, digits, . _ + - (at most 128, a letter or digit first)'));
const oneOf = <const T extends readonly string[]>(names: T) => v.picklist(names, names.join(' or '));

const described = {
  id: name(),
  subject: name(),
  session: v.optional(name()),
  /** The origin of the scan: `brats`, `bids` or another name. */
  source: name(),
  class: oneOf(CLASSES),
};
const EntrySchema = v.object({
  ...described,
  /**
   * The NIfTI file. Its path is relative to the manifest's folder in the file where it lies near, and absolute in
   * memory.
   */
  image: text(),
  /** The cleaned report: one line, ending in a full stop or another mark. */
  report: v.pipe(
    text(),
    v.minLength(MIN_REPORT_CHARACTERS, `a report of at least ${MIN_REPORT_CHARACTERS} characters`),
  ),
  laterality: oneOf(SIDES),
  modality: oneOf(MODALITIES),
  split: oneOf(SPLITS),
  /** Axis codes such as `LPS`, for a file whose header is known to be wrong or says nothing. */
  orientation: v.optional(v.pipe(v.string('a text'), v.regex(/^[LRAPSI]{3}$/, 'axis codes such as RAS or LPS'))),
  /** The NIfTI file of labels; a path like `image`. */
  segmentation: v.optional(text()),
});
const SkippedSchema = v.object({
  ...described,
  // The id of a skipped scan is unrestricted: its name may be the reason for skipping it.
  id: text(),
  subject: text(),
  session: v.optional(text()),
  skipped: v.strictObject({ reason: text() }, 'an object with a reason'),
});

/** A scan of the dataset; its paths are absolute. */
export type ManifestEntry = v.InferOutput<typeof EntrySchema>;
/** A scan that was left out, with the reason. The manifest keeps it so that nothing is lost unseen. */
export type SkippedEntry = v.InferOutput<typeof SkippedSchema>;

export interface Manifest {
  entries: ManifestEntry[];
  skipped: SkippedEntry[];
}

/**
 * Reads a manifest strictly; an error names the line. `checkDataset` checks that files exist and that no subject is in
 * two splits.
 * @throws {Brain3DError} BRAIN3D_NOT_FOUND, BRAIN3D_IO, BRAIN3D_FORMAT (no JSON), BRAIN3D_CONFIG (a field)
 */
export async function readManifest(path: string): Promise<Manifest> {
  const file = basename(path);
  const manifest: Manifest = { entries: [], skipped: [] };
  const seen = new Map<string, number>();
  const lines = await readJsonLines(path, { what: 'a manifest', maxBytes: MAX_MANIFEST_BYTES });
  for (const [index, { value, where }] of lines.entries()) {
    if ('skipped' in value) manifest.skipped.push(checkFields(SkippedSchema, value, where, file));
    else manifest.entries.push(located(checkEntry(value, where, file), path));
    const { id } = value as { id: string };
    const earlier = seen.get(id);
    if (earlier !== undefined)
      throw fieldFault(where, file, 'id', `expected another id, got '${id}' as in line ${earlier}`);
    seen.set(id, index + 1);
  }
  if (manifest.entries.length === 0)
    throw new Brain3DError('BRAIN3D_FORMAT', `${file}: expected at least one scan, got none`, { file });
  return manifest;
}

/** The reason, for a message, why `readManifest` would refuse an entry; null if it would not. */
export function entryFault(entry: Omit<ManifestEntry, 'split'>): string | null {
  const result = v.safeParse(v.omit(EntrySchema, ['split']), entry, { abortEarly: true });
  if (result.success) return null;
  const issue = result.issues[0];
  return `expected ${issue.message} for '${v.getDotPath(issue) ?? ''}', got ${describeUnquoted(issue.input)}`;
}

/** Writes a manifest atomically, for its owner only: scans in the order given, then the skipped ones. */
export async function writeManifest(path: string, manifest: Manifest): Promise<void> {
  const text = manifestText(path, manifest);
  await withCallerStack(writeManifest, () => writeFileAtomic(path, text));
}

/**
 * Does the same as `writeManifest`, but never replaces a file, not even one that another process has just made.
 * @returns whether it was written
 */
export function writeNewManifest(path: string, manifest: Manifest): Promise<boolean> {
  return writeNewFileAtomic(path, manifestText(path, manifest));
}

function manifestText(path: string, { entries, skipped }: Manifest): string {
  const portable = (target: string) => portablePath(dirname(resolve(path)), resolve(target));
  const objects = [
    ...entries.map((entry) => ({
      ...entry,
      image: portable(entry.image),
      ...(entry.segmentation === undefined ? {} : { segmentation: portable(entry.segmentation) }),
    })),
    ...skipped,
  ];
  return objects.map((object) => `${JSON.stringify(inOrder(object))}\n`).join('');
}

/** Puts the keys in the order of the schema, so that equal entries are equal lines. */
function inOrder(object: Record<string, unknown>): Record<string, unknown> {
  const keys = Object.keys('skipped' in object ? SkippedSchema.entries : EntrySchema.entries);
  return Object.fromEntries(keys.filter((key) => object[key] !== undefined).map((key) => [key, object[key]]));
}

function checkEntry(value: object, where: string, file: string): v.InferOutput<typeof EntrySchema> {
  const entry = checkFields(EntrySchema, value, where, file);
  if ((entry.class === 'healthy') !== (entry.laterality === 'none')) {
    const expected = entry.class === 'healthy' ? "'none' for healthy subjects" : "a side or 'unknown' for patients";
    throw fieldFault(where, file, 'laterality', `expected ${expected}, got '${entry.laterality}'`);
  }
  return entry;
}

function located(entry: ManifestEntry, path: string): ManifestEntry {
  const dir = dirname(resolve(path));
  const out = { ...entry, image: resolve(dir, entry.image) };
  if (entry.segmentation !== undefined) out.segmentation = resolve(dir, entry.segmentation);
  return out;
}
