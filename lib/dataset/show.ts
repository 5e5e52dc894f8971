/** Makes an overview of a dataset to look at: one page, and a picture of every scan. */
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import * as v from 'valibot';
import { Brain3DError, type ErrorCode, withCallerStack } from '../base/errors';
import { progressEntry } from '../base/progress';
import { is, parseOptions } from '../base/validate';
import { runInWorkers } from '../base/worker-pool';
import { writeFileAtomic } from '../files/atomic-file';
import { makeFolders } from '../files/folders';
import { extractLaterality } from '../reading/laterality';
import { composition } from './composition';
import { type ManifestEntry, readManifest } from './manifest';
import { datasetPage, type PageScan } from './show-page';

export const PAGE_FILE = 'index.html';
const PICTURES = 'montages';

const ShowSchema = v.object({
  /** The folder of the page; it is made if it does not exist. */
  out: is.text(),
  /** The number of threads that draw. @default as many as there are cores */
  workers: v.optional(is.integer(1, 1024)),
  /** Whether a scan that cannot be drawn stops the run or is skipped. @default 'stop' */
  onError: v.optional(is.oneOf(['stop', 'skip'])),
  signal: v.optional(is.signal()),
  ...progressEntry,
});
export type ShowDatasetOptions = v.InferInput<typeof ShowSchema>;

/** @internal */
export type ShowJob = Pick<ManifestEntry, 'id' | 'image' | 'orientation'>;
/** @internal */
export type ShowResult = { png: Uint8Array; warnings: string[] } | { code: ErrorCode; message: string };

/**
 * Writes `index.html`, which needs nothing but the pictures in `montages/` beside it. The pictures show stripped
 * brains.
 * @returns the page's path, and scans without a picture with the reason
 * @throws {Brain3DError} the failure of a scan, named by its id; as `readManifest`
 */
export async function showDataset(
  manifest: string,
  options: ShowDatasetOptions,
): Promise<{ page: string; withoutPicture: Map<string, string> }> {
  const parsed = parseOptions('showDataset', ShowSchema, options);
  return withCallerStack(showDataset, async () => {
    const { entries, skipped } = await readManifest(manifest);
    const pictures = join(parsed.out, PICTURES);
    await makeFolders(pictures);
    const withoutPicture = new Map<string, string>();
    const warnings = new Map<string, string[]>();
    await drawAll(entries, parsed, async (id, result) => {
      if ('message' in result) {
        withoutPicture.set(id, result.message);
        return;
      }
      warnings.set(id, result.warnings);
      await writeFileAtomic(join(pictures, `${id}.png`), result.png);
    });
    const scans = entries.map((entry): PageScan => {
      const missing = withoutPicture.get(entry.id);
      const notes = entry.class === 'healthy' ? [] : extractLaterality(entry.report).notes;
      return {
        entry,
        picture: missing === undefined ? `${PICTURES}/${entry.id}.png` : null,
        notes: [...notes, ...(warnings.get(entry.id) ?? []), ...(missing === undefined ? [] : [missing])],
      };
    });
    const page = join(parsed.out, PAGE_FILE);
    await writeFileAtomic(page, datasetPage(scans, skipped, composition(entries)));
    return { page, withoutPicture };
  });
}

async function drawAll(
  entries: ManifestEntry[],
  { workers, onError, signal, onProgress }: v.InferOutput<typeof ShowSchema>,
  take: (id: string, result: ShowResult) => Promise<void>,
): Promise<void> {
  let done = 0;
  onProgress?.({ stage: 'montages', done, total: entries.length });
  await runInWorkers<ShowJob, ShowResult>({
    workerFile: join(__dirname, 'show-worker.js'),
    jobs: entries.map(({ id, image, orientation }) => ({ id, image, orientation })),
    workers: workers ?? availableParallelism(),
    signal,
    onResult: async (result, { id }) => {
      if ('message' in result && onError !== 'skip')
        throw new Brain3DError(result.code, `${id} cannot be drawn: ${result.message}`);
      await take(id, result);
      onProgress?.({ stage: 'montages', done: ++done, total: entries.length });
    },
  });
}
