/** A thread that draws subjects of a cohort and writes their files. */

import { serveJobs } from '../base/worker-pool';
import { writeFileAtomic } from '../files/atomic-file';
import { makeFolders } from '../files/folders';
import { writeStored } from '../files/stored';
import { loadAddon } from '../native/binding';
import type { NativeAnatomy } from '../native/surface';
import { Volume } from '../volume/volume';
import { loadAnatomy } from './anatomy';
import type { CohortJob, CohortResult } from './cohort';
import { subjectFiles } from './layout';
import type { DrawSettings } from './plan';
import { drawSubject } from './subject';

let anatomy: Promise<NativeAnatomy> | null = null;

serveJobs<CohortJob, CohortResult, DrawSettings & { out: string }>(async ({ plan }, { out, ...settings }) => {
  const addon = loadAddon();
  anatomy ??= loadAnatomy(addon);
  const { native, spec, findings, report } = await drawSubject(addon, await anatomy, plan, settings);
  const files = subjectFiles(out, plan);
  for (const folder of files.folders) await makeFolders(folder);
  const write = (volume: typeof native.flair, path: string, datatype: 'int16' | 'uint8') =>
    new Volume(addon, volume, null).write(path, { datatype });
  await write(native.flair, files.flair, 'int16');
  if (files.segmentation !== null) await write(native.segmentation, files.segmentation, 'uint8');
  if (settings.keepSkull) await write(native.brain, files.brain, 'uint8');
  if (files.report !== null && report !== null) await writeFileAtomic(files.report, `${report}\n`);
  const { volumes, ...measured } = native.truth;
  const truth = {
    simulated: true,
    id: plan.id,
    seed: settings.seed,
    findings,
    report,
    ...measured,
    volumes,
    spec,
  };
  // The truth is written last: a subject that has it is complete.
  await writeStored(files.truth, truth);
  return { id: plan.id, findings, brainMl: native.truth.brainMm3 / 1000 };
});
