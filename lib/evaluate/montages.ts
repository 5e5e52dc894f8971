/** Draws small pictures of the cases' volumes in parallel. */
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { runInWorkers } from '../base/worker-pool';
import type { EvaluateOptions } from './options';
import type { CaseVolume } from './text-model';

/** Returns PNG bytes by id. */
export async function drawMontages(
  volumes: readonly CaseVolume[],
  { workers, signal, onProgress }: EvaluateOptions,
): Promise<Map<string, Uint8Array>> {
  const pictures = new Map<string, Uint8Array>();
  onProgress?.({ stage: 'montages', done: 0, total: volumes.length });
  await runInWorkers<CaseVolume, Uint8Array>({
    workerFile: join(__dirname, 'montages-worker.js'),
    jobs: volumes,
    workers: workers ?? availableParallelism(),
    signal,
    onResult: (png, { id }) => {
      pictures.set(id, png);
      onProgress?.({ stage: 'montages', done: pictures.size, total: volumes.length });
    },
  });
  return pictures;
}
