/** Draws pictures of cached volumes, one at a time, in a thread of its own. */
import { openCachedVolume } from '../dataset/cache-entry';
import { drawVolume } from '../montage';
import { serveJobs } from '../worker-pool';
import type { CaseVolume } from './text-model';

serveJobs<CaseVolume, Uint8Array>(async ({ volume }) => drawVolume(await openCachedVolume(volume), 'small'));
