/**
 * Runs many independent jobs on several threads. Every worker thread is a JavaScript environment of its own, so it
 * loads the addon for itself and has its own native executors. In this way native work runs in parallel.
 *
 * The caller's side is `runInWorkers`. The worker file lies beside the module that uses it, is compiled like it and is
 * found as `join(__dirname, 'some-worker.js')`; it only calls `serveJobs`.
 */
import { once } from 'node:events';
import { parentPort, Worker, workerData } from 'node:worker_threads';
import { Brain3DError, fromSystem } from './errors';
import { type PackedError, packError, unpackError } from './packed-error';

export interface WorkerRun<TJob, TResult> {
  /** The absolute path of the compiled worker file. */
  workerFile: string;
  /** The jobs, taken one by one when a worker is free. A job must survive structured clone, and so must its result. */
  jobs: Iterable<TJob>;
  /** The largest number of threads, from 1. A thread is started only when there is a job for it. */
  workers: number;
  /** The data that all jobs share, given once to every worker. */
  workerData?: unknown;
  /** Ends the threads at once, native work included; `runInWorkers` rejects with its reason. */
  signal?: AbortSignal | undefined;
  /** Called as results come, so not necessarily in order; `index` counts the jobs. The worker waits for its promise. */
  onResult: (result: TResult, job: TJob, index: number) => void | Promise<void>;
}

type Reply<TResult> = { result: TResult } | { failure: PackedError };

/**
 * Runs every job; they begin in the order given. Resolves when all results are delivered. The first failure (of a job,
 * of a worker, of `jobs` or of `onResult`) ends everything: no thread is left when the promise settles. A
 * `Brain3DError` keeps its code, file, field and offset.
 * @throws {Brain3DError} what a job throws; BRAIN3D_INTERNAL or BRAIN3D_OUT_OF_MEMORY if a thread ends by itself
 */
export async function runInWorkers<TJob, TResult>(run: WorkerRun<TJob, TResult>): Promise<void> {
  run.signal?.throwIfAborted();
  if (!Number.isInteger(run.workers) || run.workers < 1)
    throw new RangeError(`expected an integer from 1 for workers, got ${run.workers}`);
  const jobs = numbered(run.jobs);
  const failure = new AbortController();
  const fail = (error: unknown): void => failure.abort(error);
  const stop = run.signal === undefined ? failure.signal : AbortSignal.any([run.signal, failure.signal]);
  await Promise.all(Array.from({ length: run.workers }, () => serveThread(run, jobs, stop, fail).catch(fail)));
  stop.throwIfAborted();
}

/**
 * The worker's side: answers each job with the result of `handler`, one at a time. `data` is the run's `workerData`.
 * Call it once, at the end of a worker file.
 */
export function serveJobs<TJob, TResult, TData = unknown>(
  handler: (job: TJob, data: TData) => TResult | Promise<TResult>,
): void {
  const port = parentPort;
  if (port === null) throw new Error('serveJobs is for worker threads only');
  port.on('message', async (job: TJob) => {
    try {
      // This is inside the try, because a result that cannot be cloned is a failure of its job.
      port.postMessage({ result: await handler(job, workerData as TData) } satisfies Reply<TResult>);
    } catch (error) {
      port.postMessage({ failure: packError(fromSystem(error)) } satisfies Reply<TResult>);
    }
  });
}

function* numbered<TJob>(jobs: Iterable<TJob>): Generator<[job: TJob, index: number], undefined> {
  let index = 0;
  for (const job of jobs) yield [job, index++];
}

/** Runs one thread from its first job to the end of the jobs, or until `stop`. */
async function serveThread<TJob, TResult>(
  run: WorkerRun<TJob, TResult>,
  jobs: Iterator<[job: TJob, index: number], undefined>,
  stop: AbortSignal,
  fail: (error: unknown) => void,
): Promise<void> {
  let worker: Worker | null = null;
  const onExit = (status: number): void => fail(endedByItself(new Error(`it exited with status ${status}`)));
  try {
    for (let next = jobs.next(); !stop.aborted && !next.done; next = jobs.next()) {
      const [job, index] = next.value;
      if (worker === null) {
        worker = new Worker(run.workerFile, { workerData: run.workerData });
        // The listener stays as long as the thread lives, which may also fail between two jobs.
        worker.on('error', (error) => fail(endedByItself(error)));
        worker.on('messageerror', fail);
        worker.on('exit', onExit);
      }
      const result = await ask<TJob, TResult>(worker, job, stop);
      await run.onResult(result, job, index);
    }
  } finally {
    worker?.off('exit', onExit);
    await worker?.terminate();
  }
}

/** Returns the worker's answer; rejects as soon as `stop` is aborted. */
async function ask<TJob, TResult>(worker: Worker, job: TJob, stop: AbortSignal): Promise<TResult> {
  worker.postMessage(job);
  const [reply] = (await once(worker, 'message', { signal: stop })) as [Reply<TResult>];
  if ('result' in reply) return reply.result;
  throw unpackError(reply.failure);
}

function endedByItself(cause: Error & { code?: string }): Brain3DError {
  const isMemory = cause.code === 'ERR_WORKER_OUT_OF_MEMORY';
  return new Brain3DError(
    isMemory ? 'BRAIN3D_OUT_OF_MEMORY' : 'BRAIN3D_INTERNAL',
    `a worker thread ended in the middle of a job: ${cause.message}${isMemory ? '; use fewer workers' : ''}`,
    { cause },
  );
}
