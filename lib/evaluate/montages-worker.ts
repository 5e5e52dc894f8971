/** Draws pictures of cached volumes, one at a time, in a thread of its own. */

import { serveJobs } from '../base/worker-pool';
import { openCachedVolume } from '../dataset/cache-entry';
import { drawVolume } from '../volume/montage';
import type { CaseVolume } from './text-model';

serveJobs<CaseVolume, Uint8Array>(async ({ volume }) => drawVolume(await openCachedVolume(volume), 'small'));
