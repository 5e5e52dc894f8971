/** A deadline is a signal of `AbortSignal.timeout`: wherever the call is by then, it ends with that signal's reason. */
import { getEventListeners } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Brain3D, type GenerateOptions, loadVolume, preprocess, type Volume } from 'brain3d';
import { MODEL, parsed, runScript, SAMPLE } from '../support/child';
import { failure, train, writeTrainingFixture } from '../support/training';

/** A generation that outlasts every deadline here: EOS is forbidden. */
const LONG = { minNewTokens: 1500, maxNewTokens: 1500, noRepeatNgramSize: 0 } as const;
const TIMED_OUT = { name: 'TimeoutError', code: DOMException.TIMEOUT_ERR };
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

let input: Volume;
beforeAll(async () => {
  input = await preprocess(await loadVolume(SAMPLE));
});

/** A signal that times out after `ms`, and how long its call took from then on. */
function deadline(ms: number) {
  const signal = AbortSignal.timeout(ms);
  let at = Number.NaN;
  const note = (): void => {
    at = performance.now();
  };
  signal.addEventListener('abort', note, { once: true });
  return { signal, lateMs: () => performance.now() - at };
}

/** Ms that another thread takes to be woken and to answer: on a busy machine nothing settles sooner. */
async function answer(): Promise<number> {
  const start = performance.now();
  await stat(MODEL);
  return performance.now() - start;
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[Math.floor(values.length / 2)] as number;

describe.each([
  ['in this process', false],
  ['isolated', true],
])('a model %s', (_where, isolate) => {
  test('gives up a place in the queue at once, for the next one to take', async () => {
    await using model = await Brain3D.load({ model: MODEL, isolate, maxQueue: 1 });
    const stop = new AbortController();
    const running = model.generate(input, { ...LONG, signal: stop.signal }).catch((error) => error.name);
    await sleep(50);
    const [lateMs, answerMs]: [number[], number[]] = [[], []];
    for (let turn = 0; turn < 9; turn++) {
      answerMs.push(await answer());
      const late = deadline(20);
      // Were the place of the one before still taken, this would be BRAIN3D_BUSY.
      const error = await failure(model.generate(input, { signal: late.signal }));
      lateMs.push(late.lateMs());
      expect(error).toBe(late.signal.reason);
      expect(error).toMatchObject(TIMED_OUT);
      expect(getEventListeners(late.signal, 'abort')).toEqual([]);
    }
    expect(median(lateMs)).toBeLessThanOrEqual(Math.max(5, 20 * median(answerMs)));
    stop.abort();
    expect(await running).toBe('AbortError');
    expect((await model.generate(input)).finishReason).toBe('eos');
  });

  test('stops the call that runs within a step, whatever it is', async () => {
    await using model = await Brain3D.load({ model: MODEL, isolate });
    type Call = (options: GenerateOptions) => Promise<unknown>;
    const calls: Record<string, Call> = {
      generate: (options) => model.generate(input, options),
      batch: (options) => model.generate([input, input, input], options),
      stream: async (options) => {
        for await (const _ of model.stream(input, options));
      },
    };
    for (const call of Object.values(calls)) {
      const start = performance.now();
      await call({ ...LONG, minNewTokens: 300, maxNewTokens: 300 });
      const ms = performance.now() - start;
      const late = deadline(100);
      const error = await failure(call({ ...LONG, signal: late.signal }));
      expect(late.lateMs()).toBeLessThan(ms); // a step of 1500, not 300 of them
      expect(error).toBe(late.signal.reason);
      expect(error).toMatchObject(TIMED_OUT);
      expect(getEventListeners(late.signal, 'abort')).toEqual([]);
    }
    // One that is over before it begins.
    await expect(model.encode(input, { signal: AbortSignal.timeout(0) })).rejects.toMatchObject(TIMED_OUT);
    expect((await model.generate(input)).finishReason).toBe('eos');
  });
});

test('loading and training have deadlines, too', async () => {
  for (const isolate of [false, true])
    await expect(Brain3D.load({ model: MODEL, isolate, signal: AbortSignal.timeout(1) })).rejects.toMatchObject(
      TIMED_OUT,
    );
  const dir = mkdtempSync(join(tmpdir(), 'brain3d-deadline-'));
  try {
    const fixture = await writeTrainingFixture(join(dir, 'fixture'), { train: 4, val: 2 });
    const signal = AbortSignal.timeout(1500);
    const options = {
      ...fixture,
      phase: 'lora-sft',
      out: join(dir, 'run'),
      epochs: 1000,
      batchSize: 2,
      signal,
    } as const;
    expect(await failure(train(options))).toBe(signal.reason);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

test('a deadline that is not reached holds up nothing, neither the process', async () => {
  // That the process ends before the deadline, long after this test would have failed, is what is checked.
  const ending = await runScript(`
    import { getEventListeners } from 'node:events';
    const signal = AbortSignal.timeout(86_400_000);
    const model = await Brain3D.load({ model: MODEL, signal });
    const report = await model.generate(SAMPLE, { signal });
    console.log(JSON.stringify([report.finishReason, getEventListeners(signal, 'abort').length]));
  `);
  expect(parsed(ending)).toEqual(['eos', 0]);
});
