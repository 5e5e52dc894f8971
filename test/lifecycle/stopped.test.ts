/** A process that is stopped in the middle of its work (SIGSTOP, a laptop that sleeps) goes on as if it had not been. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Brain3D, loadVolume, preprocess, type Volume } from 'brain3d';
import { endingOf, MODEL, parsed, ROOT, SAMPLE } from '../support/child';
import { HANG_MS } from '../support/limits';
import { rounds } from '../support/rounds';
import { comparable, readLog, writeTrainingFixture } from '../support/training';

/** BRAIN3D_ROUNDS=15 for half a minute. */
const STOPPED_MS = 2000 * rounds(1);
const LIMIT_MS = HANG_MS + 8 * STOPPED_MS;

/** EOS is forbidden: long enough to be stopped inside. */
const LONG = { greedy: true, minNewTokens: 200, maxNewTokens: 200, noRepeatNgramSize: 0 } as const;
/** Not over when it is aborted, however late this process gets to that. */
const LONGER = { ...LONG, minNewTokens: 1500, maxNewTokens: 1500 } as const;
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** The state that the kernel tells: T is stopped. */
const stateOf = (pid: number): string => (/\) (\w) /.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? [])[1] ?? '';

/** Stops the process for a while; `whileStopped` is asked at its end. */
async function stop(pid: number, whileStopped: () => void = () => undefined): Promise<void> {
  process.kill(pid, 'SIGSTOP');
  try {
    for (let wait = 0; wait < 6000 && stateOf(pid) !== 'T'; wait++) await sleep(10);
    await sleep(STOPPED_MS);
    expect(stateOf(pid)).toBe('T');
    whileStopped();
  } finally {
    process.kill(pid, 'SIGCONT');
  }
}

/** Resolves when the child has printed so many lines. */
function printed(child: ChildProcess, count: number): Promise<void> {
  let lines = 0;
  return new Promise((resolve) => {
    child.stdout?.on('data', (chunk: Buffer) => {
      lines += chunk.toString().split('\n').length - 1;
      if (lines >= count) resolve();
    });
  });
}

let input: Volume;
beforeAll(async () => {
  input = await preprocess(await loadVolume(SAMPLE));
});

test(
  'one that generates',
  async () => {
    await using model = await Brain3D.load({ model: MODEL });
    const expected = (await model.generate(input, LONG)).text;
    const source = `
      import { Brain3D } from 'brain3d';
      const model = await Brain3D.load({ model: ${JSON.stringify(MODEL)} });
      const stream = model.stream(${JSON.stringify(SAMPLE)}, ${JSON.stringify(LONG)});
      for await (const { tokenId } of stream) console.log(tokenId);
      console.log(JSON.stringify((await stream.report).text));
    `;
    const child = spawn(process.execPath, ['--input-type=module', '--eval', source], { cwd: ROOT });
    const ending = endingOf(child);
    await printed(child, 5);
    await stop(child.pid as number);
    expect(parsed(await ending)).toBe(expected);
  },
  LIMIT_MS,
);

test(
  'that of an isolated model: the answer comes later, an abort too, and nothing is lost',
  async () => {
    await using model = await Brain3D.load({ model: MODEL, isolate: true });
    const pid = model.pid as number;
    const expected = (await model.generate(input, LONG)).text;
    let begun: () => void = () => undefined;
    const first = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const streaming = (async () => {
      const stream = model.stream(input, LONG);
      for await (const _ of stream) begun();
      return (await stream.report).text;
    })();
    await first;
    const waiting = model.generate(input, LONG);
    await stop(pid);
    expect([await streaming, (await waiting).text]).toEqual([expected, expected]);

    const controller = new AbortController();
    const reason = new Error('enough');
    const running = model.generate(input, { ...LONGER, signal: controller.signal }).catch((error) => error);
    await sleep(50);
    // Nobody is there to stop the work, and the place of a call that waits is this process's own.
    const behind = model.generate(input, { signal: controller.signal }).catch((error) => error);
    await stop(pid, () => controller.abort(reason));
    expect([await running, await behind]).toEqual([reason, reason]);
    expect((await model.generate(input, LONG)).text).toBe(expected);
    expect(model.pid).toBe(pid);
  },
  LIMIT_MS,
);

test(
  'that of an isolated model: one that does not wake up is killed some time after an abort, and another is started',
  async () => {
    await using model = await Brain3D.load({ model: MODEL, isolate: true });
    const pid = model.pid as number;
    const expected = (await model.generate(input, LONG)).text;
    const controller = new AbortController();
    const running = model.generate(input, { ...LONGER, signal: controller.signal }).catch((error) => error);
    await sleep(50);
    process.kill(pid, 'SIGSTOP');
    controller.abort();
    expect(await running).toMatchObject({
      code: 'BRAIN3D_WORKER_LOST',
      message: expect.stringContaining('did not stop its work within 10 s and was killed'),
    });
    expect((await model.generate(input, LONG)).text).toBe(expected);
    expect(model.pid).not.toBe(pid);
  },
  LIMIT_MS,
);

test(
  'one that trains',
  async () => {
    const dir = mkdtempSync(join(tmpdir(), 'brain3d-stopped-'));
    try {
      const fixture = await writeTrainingFixture(join(dir, 'fixture'), { train: 4, val: 2 });
      const options = { ...fixture, phase: 'lora-sft', epochs: 3, batchSize: 2, saveSteps: 1 };
      const run = async (out: string, isStopped: boolean) => {
        const given = JSON.stringify({ options: { ...options, out } });
        const child = spawn(process.execPath, [join(ROOT, 'test/support/train-child.mjs'), given]);
        const ending = endingOf(child);
        await printed(child, 1);
        if (isStopped) await stop(child.pid as number);
        expect(parsed(await ending)).toMatchObject({ phases: [{ steps: 6 }] });
        const weights = readFileSync(join(out, 'lora-sft/best/brain3d.safetensors')).toString('base64');
        return { log: comparable(readLog(out, 'lora-sft')), weights };
      };
      expect(await run(join(dir, 'stopped'), true)).toEqual(await run(join(dir, 'whole'), false));
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  },
  LIMIT_MS,
);

test('a clock that jumps changes nothing: the package never asks for the time of day', () => {
  const files = readdirSync(join(ROOT, 'dist'), { recursive: true, encoding: 'utf8' }).filter((name) =>
    /\.m?js$/.test(name),
  );
  const sources = files.map((name) => ({ name, text: readFileSync(join(ROOT, 'dist', name), 'utf8') }));
  expect(sources.filter(({ text }) => /performance\.now\(\)/.test(text)).length).toBeGreaterThan(2);
  expect(sources.filter(({ text }) => /\bDate\b/.test(text)).map(({ name }) => name)).toEqual([]);
});
