/** Preprocesses a dataset into a cache, in parallel, and keeps the entries that exist already. */
import { readdir, readFile, rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { basename, join } from 'node:path';
import * as v from 'valibot';
import { Brain3DError, type ErrorCode, withCallerStack } from '../base/errors';
import { progressEntry } from '../base/progress';
import { is, parseOptions } from '../base/validate';
import { runInWorkers } from '../base/worker-pool';
import { makeRecipe } from '../checkpoint/recipe';
import { digestFile } from '../files/digest';
import { withFolderLock } from '../files/folder-lock';
import { makeFolders } from '../files/folders';
import { fromStored, parseStored, toStored, writeStored } from '../files/stored';
import { checkStripOptions, stripEntries } from '../volume/skull-strip';
import {
  type CacheMaker,
  currentMaker,
  type PreprocessingSettings,
  StoredRecipeSchema,
  volumeFile,
} from './cache-entry';
import { type ManifestEntry, readManifest } from './manifest';

export const CACHE_INDEX = 'index.json';

const side = () => is.integer(1, 4096);
const PreprocessSchema = v.object({
  /** The manifest of the dataset. */
  manifest: is.text(),
  /** The folder of the cache; it is made if it does not exist. */
  out: is.text(),
  /** (D, H, W). @default [64, 128, 128] */
  size: v.optional(v.strictTuple([side(), side(), side()], 'expected three sides (D, H, W)')),
  /** @default 1 */
  lowerPercentile: v.optional(is.number(0, 100)),
  /** @default 99 */
  upperPercentile: v.optional(is.number(0, 100)),
  ...stripEntries,
  /** The number of threads. @default as many as there are cores */
  workers: v.optional(is.integer(1, 1024)),
  /** Whether a scan that cannot be preprocessed stops the run or is skipped. @default 'stop' */
  onError: v.optional(is.oneOf(['stop', 'skip'])),
  /** Removes entries that neither this manifest nor this recipe needs. @default false */
  prune: v.optional(is.flag()),
  signal: v.optional(is.signal()),
  ...progressEntry,
  /** Called for each scan that is skipped. */
  onProblem: v.optional(is.callback<(problem: CacheProblem) => void>()),
});
export type PreprocessDatasetOptions = v.InferInput<typeof PreprocessSchema>;

export interface CacheProblem {
  id: string;
  code: ErrorCode;
  message: string;
}

/** The index of a cache: which entry belongs to which scan of the manifest. */
export interface CacheIndex {
  recipe: PreprocessingSettings;
  /** The versions and the tool that computed the entries. */
  maker: CacheMaker;
  /** The manifest's base name and SHA-256, to notice that it changed. */
  manifest: { name: string; sha256: string };
  /** The path of `KEY.safetensors` by the scan's id, for `openCachedVolume`. */
  volumes: Map<string, string>;
  /** The key of what each image shows, by the scan's id. The key is the same for an image however it is saved. */
  imageKeys: Map<string, string | null>;
  skipped: { id: string; reason: string }[];
}

export interface PreprocessedDataset extends CacheIndex {
  /** The numbers of entries that were made, found intact, and made anew because they were damaged. */
  counts: { made: number; kept: number; repaired: number };
  /** The number of files that `prune` removed. */
  pruned: number;
}

/** @internal The scan that a worker preprocesses. */
export type CacheJob = Pick<ManifestEntry, 'id' | 'image' | 'orientation'>;
/** @internal The data that all jobs of a worker share. */
export interface CacheWorkerData {
  dir: string;
  recipe: PreprocessingSettings;
  maker: CacheMaker;
}
/** @internal `shows` is the key of the image. */
export type CacheResult =
  | { key: string; outcome: 'made' | 'kept' | 'repaired'; shows: string | null }
  | { code: ErrorCode; message: string };

/**
 * Preprocesses every scan of a manifest into `out`. Finished entries stay after a failure or an abort, so that the next
 * run continues from there. The index is written at the end.
 * @throws {Brain3DError} the failure of a scan, named by its id; as `readManifest`; BRAIN3D_USAGE if another process
 *   fills the same cache
 */
export async function preprocessDataset(options: PreprocessDatasetOptions): Promise<PreprocessedDataset> {
  const parsed = parseOptions('preprocessDataset', PreprocessSchema, options);
  checkStripOptions('preprocessDataset', parsed);
  const recipe = recipeOf(parsed);
  if (recipe.lowerPercentile >= recipe.upperPercentile)
    throw new RangeError('preprocessDataset: expected lowerPercentile below upperPercentile');
  return withCallerStack(preprocessDataset, async () => {
    const { manifest: path, out: dir, signal } = parsed;
    const { entries } = await readManifest(path);
    const manifest = { name: basename(path), sha256: await digestFile(path, signal) };
    await makeFolders(dir);
    // Several processes could make entries at once, but the index belongs to one manifest, and pruning knows one
    // manifest only.
    return withFolderLock(dir, async (lock) => {
      const { keys, counts, ...filled } = await fillCache(entries, recipe, parsed);
      await lock.require();
      await writeIndex(dir, { recipe, manifest, keys, ...filled });
      const pruned = parsed.prune ? await prune(dir, new Set(keys.values())) : 0;
      return { recipe, manifest, volumes: toPaths(dir, keys), ...filled, counts, pruned };
    });
  });
}

function recipeOf(options: v.InferOutput<typeof PreprocessSchema>): PreprocessingSettings {
  const defaults = makeRecipe('paper');
  return {
    size: options.size ?? defaults.volumeSize,
    lowerPercentile: options.lowerPercentile ?? defaults.lowerPercentile,
    upperPercentile: options.upperPercentile ?? defaults.upperPercentile,
    skullStrip: options.skullStrip ?? 'auto',
    skullStripCommand: options.skullStripCommand ?? null,
  };
}

/** @internal Makes the missing entries of any scans, and leaves the index alone. */
export async function fillCache(
  entries: readonly ManifestEntry[],
  recipe: PreprocessingSettings,
  options: Pick<PreprocessDatasetOptions, 'out' | 'workers' | 'onError' | 'signal' | 'onProgress' | 'onProblem'>,
) {
  const { out: dir, workers, onError, signal, onProgress, onProblem } = options;
  const keys = new Map<string, string>();
  const imageKeys = new Map<string, string | null>();
  const skipped: CacheIndex['skipped'] = [];
  const maker = await currentMaker(recipe);
  const counts = { made: 0, kept: 0, repaired: 0 };
  let done = 0;
  onProgress?.({ stage: 'preprocessing', done, total: entries.length });
  await runInWorkers<CacheJob, CacheResult>({
    workerFile: join(__dirname, 'cache-worker.js'),
    workerData: { dir, recipe, maker } satisfies CacheWorkerData,
    jobs: entries.map(({ id, image, orientation }) => ({ id, image, orientation })),
    workers: workers ?? availableParallelism(),
    signal,
    onResult: (result, { id }) => {
      onProgress?.({ stage: 'preprocessing', done: ++done, total: entries.length });
      if ('key' in result) {
        keys.set(id, result.key);
        imageKeys.set(id, result.shows);
        counts[result.outcome]++;
        return;
      }
      const { code, message } = result;
      if (onError !== 'skip') throw new Brain3DError(code, `${id} cannot be preprocessed: ${message}`);
      skipped.push({ id, reason: message });
      onProblem?.({ id, code, message });
    },
  });
  // The order is that of the manifest, not that in which the threads finished.
  const places = new Map(entries.map(({ id }, place) => [id, place]));
  const byPlace = (a: string, b: string) => (places.get(a) ?? 0) - (places.get(b) ?? 0);
  return {
    maker,
    keys: new Map([...keys].sort(([a], [b]) => byPlace(a, b))),
    imageKeys: new Map([...imageKeys].sort(([a], [b]) => byPlace(a, b))),
    skipped: skipped.sort((a, b) => byPlace(a.id, b.id)),
    counts,
  };
}

const INDEX_FORMAT = 2;
const digest = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));
const IndexSchema = v.object({
  format: v.literal('brain3d-cache-index'),
  format_version: v.literal(INDEX_FORMAT),
  manifest: v.object({ name: v.string(), sha256: v.string() }),
  recipe: StoredRecipeSchema,
  maker: v.object({
    brain3d: v.string(),
    torch: v.string(),
    preprocessing: v.number(),
    strip_tool: v.nullable(digest),
  }),
  entries: v.record(v.string(), digest),
  image_keys: v.record(v.string(), v.nullable(digest)),
  skipped: v.array(v.object({ id: v.string(), reason: v.string() })),
});

async function writeIndex(
  dir: string,
  { recipe, maker, manifest, keys, imageKeys, skipped }: Omit<CacheIndex, 'volumes'> & { keys: Map<string, string> },
): Promise<void> {
  const { stripTool, ...versions } = maker;
  const index: v.InferOutput<typeof IndexSchema> = {
    format: 'brain3d-cache-index',
    format_version: INDEX_FORMAT,
    manifest,
    recipe: toStored(StoredRecipeSchema, recipe),
    maker: { ...versions, strip_tool: stripTool },
    entries: Object.fromEntries(keys),
    image_keys: Object.fromEntries(imageKeys),
    skipped,
  };
  await writeStored(join(dir, CACHE_INDEX), index);
}

/**
 * Reads the index that the last complete `preprocessDataset` left in a cache.
 * @throws {Brain3DError} BRAIN3D_NOT_FOUND, BRAIN3D_IO, BRAIN3D_FORMAT
 */
export async function readCacheIndex(dir: string): Promise<CacheIndex> {
  let json: string;
  try {
    json = await readFile(join(dir, CACHE_INDEX), 'utf8');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const kind = code === 'ENOENT' ? 'BRAIN3D_NOT_FOUND' : 'BRAIN3D_IO';
    const message = `expected ${CACHE_INDEX} in the cache '${basename(dir)}' (${code}); \`brain3d preprocess --manifest\` writes it`;
    throw new Brain3DError(kind, message, { file: CACHE_INDEX, cause });
  }
  const result = parseStored(IndexSchema, json);
  if (!result.isIntact) {
    const field = result.field ?? undefined;
    const message = `${CACHE_INDEX} is not as it was written (${field ?? 'no JSON'}); run \`brain3d preprocess --manifest\` again`;
    throw new Brain3DError('BRAIN3D_FORMAT', message, { file: CACHE_INDEX, field });
  }
  const { recipe, maker, manifest, entries, image_keys: imageKeys, skipped } = result.value;
  const { strip_tool: stripTool, ...versions } = maker;
  return {
    recipe: fromStored<PreprocessingSettings>(recipe),
    maker: { ...versions, stripTool },
    manifest,
    volumes: toPaths(dir, new Map(Object.entries(entries))),
    imageKeys: new Map(Object.entries(imageKeys)),
    skipped,
  };
}

function toPaths(dir: string, keys: Map<string, string>): Map<string, string> {
  return new Map([...keys].map(([id, key]) => [id, volumeFile(dir, key)]));
}

/** Removes entries whose key is not used, and parts of sidecars left by a killed thread; nothing else. */
async function prune(dir: string, used: ReadonlySet<string>): Promise<number> {
  const unused = (await readdir(dir)).filter((name) => {
    const [, key, rest] = /^([0-9a-f]{64})\.(json|safetensors|json\.[0-9a-f-]{36}\.partial)$/.exec(name) ?? [];
    return key !== undefined && (!used.has(key) || rest?.endsWith('.partial'));
  });
  await Promise.all(unused.map((name) => rm(join(dir, name))));
  return unused.length;
}
