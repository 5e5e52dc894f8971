/** A model in a process of its own: the same results, and what happens when that process dies. */
import { getEventListeners } from 'node:events';
import { Brain3D, type Brain3DError, loadVolume, preprocess, type Volume } from 'brain3d';
import { SplitMix64 } from '../../dist/base/rng';
import { MODEL, parsed, runScript, SAMPLE } from '../support/child';

/** A generation long enough to be interrupted: EOS is forbidden. */
const LONG = { minNewTokens: 1500, maxNewTokens: 1500, noRepeatNgramSize: 0 } as const;
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Nothing of the process is left, not even a zombie. */
const isGone = (pid: number | null): boolean => {
  if (pid === null) return true;
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
};

describe('an isolated model', () => {
  let isolated: Brain3D;
  let local: Brain3D;
  let raw: Volume;
  let input: Volume;
  beforeAll(async () => {
    local = await Brain3D.load({ model: MODEL });
    isolated = await Brain3D.load({ model: MODEL, isolate: true });
    raw = await loadVolume(SAMPLE);
    input = await preprocess(raw);
  });
  afterAll(() => Promise.all([local.dispose(), isolated.dispose()]));

  test('is in another process, and says of itself what it says in this one', () => {
    expect(local.pid).toBe(process.pid);
    expect(isolated.pid).not.toBe(process.pid);
    expect(isolated.info).toEqual(local.info);
    expect(isolated.checkpoint).toEqual(local.checkpoint);
  });

  test('gives the same reports of a path, a volume as read and a preprocessed one', async () => {
    const sources = [SAMPLE, raw, input];
    const ofIsolated = await isolated.generate(sources, { greedy: true });
    const ofLocal = await local.generate(sources, { greedy: true });
    const lasting = ofLocal.map(({ timingsMs: _, ...report }) => report);
    expect(ofIsolated.map(({ timingsMs: _, ...report }) => report)).toEqual(lasting);
  });

  test('streams, encodes and scores the same', async () => {
    const pieces = async (model: Brain3D) => {
      const stream = model.stream(input, { seed: 2 });
      const chunks = [];
      for await (const chunk of stream) chunks.push(chunk);
      return { chunks, text: (await stream.report).text };
    };
    expect(await pieces(isolated)).toEqual(await pieces(local));
    expect(await isolated.encode(input)).toEqual(await local.encode(input));
    const text = 'No lesion is seen in the brain.';
    expect(await isolated.score(input, text)).toEqual(await local.score(input, text));
  });

  test('tells progress, and ends with what a listener throws', async () => {
    const seen: string[] = [];
    const thrown = new Error('of the listener');
    const listen = ({ stage }: { stage: string }): void => void seen.push(stage);
    const fail = (): void => {
      throw thrown;
    };
    isolated.on('progress', listen);
    await isolated.generate([SAMPLE], { maxNewTokens: 2 });
    isolated.off('progress', listen);
    expect(seen).toEqual(['volumes', 'reports']);
    isolated.on('progress', fail);
    await expect(isolated.generate(SAMPLE, LONG)).rejects.toBe(thrown);
    isolated.off('progress', fail);
  });

  test('gives errors with their codes, fields and the stack of the call', async () => {
    const error: Brain3DError = await isolated.generate('/nonexistent/scan.nii').catch((failure) => failure);
    expect(error).toMatchObject({ name: 'Brain3DError', code: 'BRAIN3D_NOT_FOUND', file: 'scan.nii' });
    expect(error.stack).toContain('isolate.test');
    const wrong = await preprocess(raw, { size: [8, 16, 16] });
    await expect(isolated.encode(wrong)).rejects.toMatchObject({ code: 'BRAIN3D_SHAPE' });
  });

  test('stops at an abort, in its turn or waiting, with the reason and no listener left', async () => {
    const [first, second] = [new AbortController(), new AbortController()];
    const running = isolated.generate(input, { ...LONG, signal: first.signal }).catch((error) => error);
    const waiting = isolated.generate(input, { ...LONG, signal: second.signal }).catch((error) => error);
    const [one, two] = [new Error('one'), new Error('two')];
    await sleep(200);
    second.abort(two);
    expect(await waiting).toBe(two);
    first.abort(one);
    expect(await running).toBe(one);
    for (const { signal } of [first, second]) expect(getEventListeners(signal, 'abort')).toEqual([]);
    expect((await isolated.generate(input)).finishReason).toBe('eos');
  });

  test('stops when the loop over a stream is left', async () => {
    const stream = isolated.stream(input, LONG);
    for await (const chunk of stream) {
      expect(chunk.tokenId).toBeGreaterThanOrEqual(0);
      break;
    }
    await expect(stream.report).rejects.toMatchObject({ name: 'AbortError' });
  });
});

describe('the process of an isolated model', () => {
  test('may be killed at any time: the call says so and the next one starts another', async () => {
    const random = new SplitMix64(20261124);
    const warnings: string[] = [];
    await using model = await Brain3D.load({ model: MODEL, isolate: true });
    model.on('warning', (message) => warnings.push(message));
    const expected = (await model.generate(SAMPLE, { greedy: true })).text;
    const pids = new Set([model.pid]);
    for (let kill = 0; kill < 4; kill++) {
      const pid = model.pid as number;
      // While it generates, and by turns while calls wait behind.
      const calls = Array.from({ length: 1 + (kill % 2) }, () =>
        model.generate(SAMPLE, LONG).catch((error: unknown) => error),
      );
      await sleep(Math.floor(random.uniform() * 300));
      process.kill(pid, 'SIGKILL');
      expect(await calls[0]).toMatchObject({
        name: 'Brain3DError',
        code: 'BRAIN3D_WORKER_LOST',
        message: expect.stringContaining('was ended by SIGKILL'),
      });
      expect(isGone(pid)).toBe(true);
      if (calls.length > 1) {
        // The one that waited has another process; that one is killed as well.
        while (model.pid === null) await sleep(5);
        process.kill(model.pid, 'SIGKILL');
        expect(await calls[1]).toMatchObject({ code: 'BRAIN3D_WORKER_LOST' });
      }
      expect(model.pid).toBeNull();
      expect((await model.generate(SAMPLE, { greedy: true })).text).toBe(expected);
      pids.add(model.pid);
    }
    expect(pids.size).toBe(5);
    expect(warnings.length).toBeGreaterThanOrEqual(4);
    expect(warnings[0]).toMatch(/^the model was loaded again: .*SIGKILL/);
  });

  test('may be killed while it does nothing', async () => {
    await using model = await Brain3D.load({ model: MODEL, isolate: true });
    process.kill(model.pid as number, 'SIGSEGV');
    while (model.pid !== null) await sleep(5);
    expect((await model.generate(SAMPLE)).finishReason).toBe('eos');
  });

  test('may be killed while it loads: load fails, and nothing is left', async () => {
    for (const delay of [0, 60, 120, 200]) {
      const ending = await runScript(`
        import { execFileSync } from 'node:child_process';
        const loading = Brain3D.load({ model: MODEL, isolate: true, onProgress: () => {} }).then(
          (model) => model.dispose().then(() => 'loaded'),
          (error) => error.code,
        );
        await sleep(${delay});
        const children = () => execFileSync('ps', ['-o', 'pid=,args=', '--ppid', String(process.pid)], { encoding: 'utf8' })
          .split('\\n').filter((line) => line.includes('engine-process'));
        for (const line of children()) process.kill(Number.parseInt(line, 10), 'SIGKILL');
        const outcome = await loading;
        console.log(JSON.stringify({ outcome, left: children().length }));
      `);
      const { outcome, left } = parsed(ending);
      expect(left).toBe(0);
      expect(['BRAIN3D_WORKER_LOST', 'loaded']).toContain(outcome); // on a fast machine it may have loaded
      if (delay === 0) expect(outcome).toBe('BRAIN3D_WORKER_LOST');
    }
  });

  test('does not load what cannot be loaded, with the same error, and ends', async () => {
    const ending = await runScript(`
      const codes = [];
      for (const options of [{ model: '/nonexistent' }, { model: MODEL, libtorch: '/nonexistent' }, { model: MODEL, device: 'cuda:99' }])
        codes.push(await Brain3D.load({ ...options, isolate: true }).catch((error) => error.code));
      console.log(JSON.stringify(codes));
    `);
    expect(parsed(ending)).toEqual(['BRAIN3D_NOT_FOUND', 'BRAIN3D_LIBTORCH', 'BRAIN3D_DEVICE']);
  });

  test('ends with dispose', async () => {
    const model = await Brain3D.load({ model: MODEL, isolate: true });
    const { pid } = model;
    const working = model.generate(SAMPLE);
    const disposed = model.dispose();
    expect((await working).finishReason).toBe('eos');
    await disposed;
    expect(isGone(pid)).toBe(true);
    await expect(model.generate(SAMPLE)).rejects.toMatchObject({ code: 'BRAIN3D_DISPOSED' });
    await model.dispose();
  });

  test.each([
    ['ends by itself', ''],
    [
      'is killed in mid-generation',
      `model.generate(SAMPLE, LONG).catch(() => {}); await sleep(150); process.kill(process.pid, 'SIGKILL');`,
    ],
    ['exits in mid-generation', `model.generate(SAMPLE, LONG).catch(() => {}); await sleep(150); process.exit(0);`],
  ])('ends when its parent %s', async (_how, work) => {
    const { stdout } = await runScript(`
      const LONG = ${JSON.stringify(LONG)};
      const model = await Brain3D.load({ model: MODEL, isolate: true });
      console.log(model.pid);
      ${work}
    `);
    const pid = Number(stdout.trim());
    expect(pid).toBeGreaterThan(0);
    for (let wait = 0; !isGone(pid) && wait < 15_000; wait++) await sleep(20);
    expect(isGone(pid)).toBe(true);
  });
});

test('a model takes no more calls than maxQueue, and answers those it took', async () => {
  await using model = await Brain3D.load({ model: MODEL, maxQueue: 2 });
  const input = await preprocess(await loadVolume(SAMPLE));
  const calls = Array.from({ length: 4 }, () => model.generate(input, { maxNewTokens: 8 }));
  await expect(calls[3]).rejects.toMatchObject({ code: 'BRAIN3D_BUSY' });
  expect(await Promise.all(calls.slice(0, 3))).toHaveLength(3);
  await expect(Brain3D.load({ model: MODEL, maxQueue: -1 })).rejects.toThrow(RangeError);
});
