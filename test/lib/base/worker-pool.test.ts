/** The pool's promises: order, delivery, errors that keep their type, nothing left running. */
import { join } from 'node:path';
import { Brain3DError } from '../../../lib/base/errors';
import { runInWorkers, serveJobs, type WorkerRun } from '../../../lib/base/worker-pool';
import { type Loose, SAMPLE } from '../../support/child';

interface Job {
  kind: string;
  value?: unknown;
}
type Result = Loose;

const workerFile = join(__dirname, '..', '..', 'support', 'pool-worker.js');

/** Runs jobs and collects what came, in the order in which it came. */
async function run(jobs: Iterable<Job>, options: Partial<WorkerRun<Job, Result>> = {}) {
  const results: { result: Result; job: Job; index: number }[] = [];
  const onResult = (result: Result, job: Job, index: number) => void results.push({ result, job, index });
  await runInWorkers<Job, Result>({ workerFile, jobs, workers: 2, onResult, ...options });
  return results;
}

const squares = (count: number): Job[] => Array.from({ length: count }, (_, value) => ({ kind: 'square', value }));

describe('results', () => {
  it('come once for each job, with the job and its index', async () => {
    const results = await run(squares(20));
    expect(results).toHaveLength(20);
    for (const { result, job, index } of results) {
      expect(job.value).toBe(index);
      expect(result.square).toBe(index * index);
    }
    expect(new Set(results.map(({ index }) => index)).size).toBe(20);
  });

  it('come from no more threads than asked for, and from no more than there are jobs', async () => {
    const threads = async (count: number, workers: number) =>
      new Set((await run(squares(count), { workers })).map(({ result }) => result.threadId)).size;
    expect(await threads(8, 1)).toBe(1);
    expect(await threads(1, 4)).toBe(1);
    expect(await run([])).toEqual([]);
  });

  it('of one worker come in the order of the jobs', async () => {
    const results = await run(squares(6), { workers: 1 });
    expect(results.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it('come as they are ready: a slow job holds up no other', async () => {
    const results = await run([{ kind: 'sleep', value: 1500 }, ...squares(3)]);
    expect(results.map(({ index }) => index)).toEqual([1, 2, 3, 0]);
  });

  it('are computed with the data that all share', async () => {
    const [only] = await run(squares(1), { workerData: { recipe: 'paper' } });
    expect(only?.result.data).toEqual({ recipe: 'paper' });
  });

  it('hold back the next job until they are dealt with', async () => {
    let taken = 0;
    function* jobs(): Generator<Job> {
      for (const job of squares(5)) {
        taken++;
        yield job;
      }
    }
    const ahead: number[] = [];
    await run(jobs(), {
      workers: 1,
      onResult: async (_result, _job, index) => {
        await new Promise((resolve) => setTimeout(resolve, 5));
        ahead.push(taken - index);
      },
    });
    expect(ahead).toEqual([1, 1, 1, 1, 1]);
  });

  it('of native work come from an addon that each thread loads for itself', async () => {
    const results = await run(Array.from({ length: 4 }, () => ({ kind: 'load', value: SAMPLE })));
    for (const { result } of results) expect(result).toMatchObject({ shape: [90, 108, 90], orientation: 'LPS' });
  });
});

describe('a failure', () => {
  const failing = (kind: string, value?: unknown) =>
    run([
      { kind, value },
      { kind: 'sleep', value: 30_000 },
    ]);

  it('keeps code, fields, cause and the stack of the job', async () => {
    const error = await failing('typed').catch((caught) => caught);
    expect(Brain3DError.isInstance(error)).toBe(true);
    expect(error).toMatchObject({
      name: 'Brain3DError',
      code: 'BRAIN3D_FORMAT',
      message: 'the text',
      file: 'a.nii',
      field: 'dim',
      offset: 40,
      cause: expect.objectContaining({ message: 'why' }),
    });
    expect(error.stack).toContain('pool-worker.js');
  });

  it('of the operating system is a typed one, which names no folder', async () => {
    const error = await failing('system', join(__dirname, 'missing.txt')).catch((caught) => caught);
    expect(error).toMatchObject({ code: 'BRAIN3D_NOT_FOUND', file: 'missing.txt' });
    expect(error.message).not.toContain(__dirname);
    expect(error.cause.message).not.toContain(__dirname);
  });

  it('of native work does too', async () => {
    const path = join(__dirname, 'missing.nii.gz');
    await expect(failing('load', path)).rejects.toMatchObject({ code: 'BRAIN3D_NOT_FOUND', file: 'missing.nii.gz' });
  });

  it('of wrong arguments stays a TypeError or RangeError', async () => {
    await expect(failing('range')).rejects.toThrow(new RangeError('out of range'));
    await expect(failing('unknown')).rejects.toBeInstanceOf(TypeError);
  });

  it('is what a result or a job that cannot be cloned is', async () => {
    await expect(failing('uncloneable')).rejects.toThrow(/could not be cloned/);
    await expect(failing('square', () => 0)).rejects.toThrow(/could not be cloned/);
  });

  it('is what a thread that ends by itself is', async () => {
    await expect(failing('exit')).rejects.toMatchObject({
      code: 'BRAIN3D_INTERNAL',
      message: 'a worker thread ended in the middle of a job: it exited with status 7',
    });
    await expect(failing('crash')).rejects.toMatchObject({
      code: 'BRAIN3D_INTERNAL',
      message: expect.stringContaining('outside of the job'),
    });
    await expect(run(squares(1), { workerFile: join(__dirname, 'no-such-worker.js') })).rejects.toThrow(
      /no-such-worker\.js/,
    );
  });

  it('of the jobs or of their receiver ends the run', async () => {
    function* broken(): Generator<Job> {
      yield { kind: 'square', value: 1 };
      throw new Error('no more jobs');
    }
    await expect(run(broken())).rejects.toThrow('no more jobs');
    const onResult = () => Promise.reject(new Error('the disk is full'));
    await expect(run(squares(3), { onResult })).rejects.toThrow('the disk is full');
  });

  it('delivers nothing afterwards', async () => {
    const seen: number[] = [];
    const jobs = [{ kind: 'sleep', value: 1000 }, { kind: 'range' }, ...squares(50)];
    const onResult = (_result: Result, _job: Job, index: number) => void seen.push(index);
    await expect(run(jobs, { onResult })).rejects.toThrow(RangeError);
    const before = [...seen];
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect(seen).toEqual(before);
    expect(seen).not.toContain(0);
  });
});

describe('an abort', () => {
  it('ends the threads at once and rejects with its reason', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    // Longer than this test may take.
    const jobs = Array.from({ length: 4 }, () => ({ kind: 'sleep', value: 3_600_000 }));
    setTimeout(() => controller.abort(reason), 100);
    await expect(run(jobs, { signal: controller.signal })).rejects.toBe(reason);
  });

  it('that came before starts nothing', async () => {
    function* untouched(): Generator<Job> {
      yield* squares(1);
      throw new Error('the jobs were taken');
    }
    await expect(run(untouched(), { signal: AbortSignal.abort() })).rejects.toThrow(/abort/i);
  });
});

test('wrong use is refused', async () => {
  await expect(run(squares(1), { workers: 0 })).rejects.toThrow('expected an integer from 1 for workers, got 0');
  expect(() => serveJobs(() => 0)).toThrow('serveJobs is for worker threads only');
});
