/** Writes a whole simulated cohort to disk, drawn in parallel. An interrupted call is continued by the next one. */
import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { basename, join } from 'node:path';
import * as v from 'valibot';
import { Brain3DError, withCallerStack } from '../base/errors';
import { progressEntry } from '../base/progress';
import { is, parseOptions } from '../base/validate';
import { packageVersion } from '../base/version';
import { runInWorkers } from '../base/worker-pool';
import { writeFileAtomic } from '../files/atomic-file';
import { withFolderLock } from '../files/folder-lock';
import { makeFolders } from '../files/folders';
import { writeStored } from '../files/stored';
import type { Findings } from './findings';
import { FOLDERS, subjectFiles } from './layout';
import { type DrawSettings, planCohort, type SubjectPlan } from './plan';
import { type CohortStatistics, type MeasuredSubject, statisticsOf } from './statistics';

const CohortSchema = v.object({
  /** The directory: new, empty, or begun with the same options. */
  out: is.text(),
  /** @default 468 */
  subjects: v.optional(is.integer(1, 100_000)),
  /** The seed of the cohort, 0 .. 2^53 - 1. @default 0 */
  seed: v.optional(is.integer(0, Number.MAX_SAFE_INTEGER)),
  /** The voxel grid. `native`: 240 x 240 x 155 at 1 mm; `small`: half of it. @default 'native' */
  grid: v.optional(is.oneOf(['native', 'small'])),
  /** Leaves the skull on, and writes the true brain masks too. @default false */
  keepSkull: v.optional(is.flag()),
  /** Lets lesions displace tissue and compress ventricles. @default true */
  massEffect: v.optional(is.flag()),
  /** The number of threads. @default one for each core */
  workers: v.optional(is.integer(1, 1024)),
  ...progressEntry,
  signal: v.optional(is.signal()),
});
export type SimulateCohortOptions = v.InferInput<typeof CohortSchema>;

export interface CohortJob {
  plan: SubjectPlan;
}

export interface CohortResult extends MeasuredSubject {
  id: string;
}

/**
 * Writes patients in the layout of BraTS 2020 (`brats/`), their reports in that of TextBraTS (`reports/`), controls in
 * BIDS (`healthy/`), and the truth about each subject beside it. The same options give the same bytes.
 * @throws {Brain3DError} BRAIN3D_USAGE if `out` holds something else or another process writes there, BRAIN3D_IO
 */
export async function simulateCohort(options: SimulateCohortOptions): Promise<CohortStatistics> {
  const parsed = parseOptions('simulateCohort', CohortSchema, options);
  const { out, subjects = 468, seed = 0, grid = 'native', signal, onProgress } = parsed;
  const { keepSkull = false, massEffect = true } = parsed;
  return withCallerStack(simulateCohort, async () => {
    const settings: DrawSettings = { seed, grid, keepSkull, massEffect };
    await makeFolders(out);
    return withFolderLock(out, async (lock) => {
      await openFolder(out, { simulated: true, brain3d: packageVersion(), subjects, ...settings });
      const results = new Map<string, CohortResult>();
      const plans = planCohort(subjects, seed);
      const report = () => onProgress?.({ stage: 'simulating', done: results.size, total: subjects });
      for (const plan of plans) {
        const done = await finishedResult(out, plan);
        if (done !== null) results.set(plan.id, done);
      }
      report();
      await runInWorkers<CohortJob, CohortResult>({
        workerFile: join(__dirname, 'simulate-worker.js'),
        jobs: plans.filter(({ id }) => !results.has(id)).map((plan) => ({ plan })),
        workers: parsed.workers ?? availableParallelism(),
        workerData: { out, ...settings },
        signal,
        onResult: async (result) => {
          await lock.require();
          results.set(result.id, result);
          report();
        },
      });
      const statistics = statisticsOf(plans.map(({ id }) => results.get(id) as CohortResult));
      await writeStored(join(out, 'statistics.json'), statistics);
      return statistics;
    });
  });
}

/** Refuses a folder that holds anything but the same cohort. */
async function openFolder(out: string, settings: Record<string, unknown>): Promise<void> {
  const description = join(out, 'cohort.json');
  const text = `${JSON.stringify(settings, null, 2)}\n`;
  if (existsSync(description)) {
    if ((await readFile(description, 'utf8')) === text) return;
    throw new Brain3DError(
      'BRAIN3D_USAGE',
      `expected a new folder or one with the same options for out, but '${basename(out)}' holds another cohort; ` +
        'choose another folder, or remove this one',
      { file: 'cohort.json' },
    );
  }
  for (const folder of Object.values(FOLDERS)) {
    if (existsSync(join(out, folder)))
      throw new Brain3DError('BRAIN3D_USAGE', `expected a new folder for out, but it holds '${folder}' already`);
  }
  await mkdir(join(out, FOLDERS.healthy), { mode: 0o700 });
  await writeFileAtomic(join(out, FOLDERS.healthy, 'dataset_description.json'), BIDS_DESCRIPTION);
  await writeFileAtomic(description, text);
}

const BIDS_DESCRIPTION = `${JSON.stringify(
  { Name: 'Simulated healthy controls (brain3d); no patient data', BIDSVersion: '1.10.0', DatasetType: 'raw' },
  null,
  2,
)}\n`;

/** Reads the result of a subject that an earlier run finished; null if it did not. */
async function finishedResult(out: string, plan: SubjectPlan): Promise<CohortResult | null> {
  const { truth } = subjectFiles(out, plan);
  if (!existsSync(truth)) return null;
  const { findings, brainMm3 } = JSON.parse(await readFile(truth, 'utf8')) as {
    findings: Findings | null;
    brainMm3: number;
  };
  return { id: plan.id, findings, brainMl: brainMm3 / 1000 };
}
