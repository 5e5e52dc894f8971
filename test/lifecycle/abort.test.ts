/** Aborts at random moments of everything that computes: they settle soon, once, and leave nothing behind. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Loose, parsed, ROOT, runScript } from '../support/child';
import { HANG_MS } from '../support/limits';
import { rounds } from '../support/rounds';
import { SLOWNESS } from '../support/sanitizer';
import { writeTrainingFixture } from '../support/training';

/** The number of aborts of each kind. */
const POINTS = rounds(12);
/** So many times the work may be over before its abort comes: the machine's speed changes with what else it does. */
const ATTEMPTS = 10 * POINTS;
const LIMIT_MS = HANG_MS + 40_000 * POINTS;
/**
 * From the abort to the rejection on an idle machine: the median, and the longest. Steps take a few ms. On a busy machine
 * it may take so many times longer as the whole work takes longer than its time on the processors.
 */
const USUAL_MS = 100 * SLOWNESS;
const LONGEST_MS = 1000 * SLOWNESS;

/** A model and a volume for it. */
async function cachedFixture(): Promise<{ model: string; cached: string }> {
  const { model, cache } = await writeTrainingFixture(join(dir, 'cached'), { train: 1, val: 1 });
  const cached = readdirSync(cache).find((name) => name.endsWith('.safetensors')) as string;
  return { model, cached: join(cache, cached) };
}

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'brain3d-abort-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** In the child: aborts `work(signal)` after each delay; what came of it. */
const HARNESS = `
  import { getEventListeners } from 'node:events';
  let unhandled = 0;
  process.on('unhandledRejection', () => unhandled++);
  const seen = { aborted: 0, finished: 0, other: [], listeners: 0, settleMs: [], stepsAfter: [], busyness: 1 };
  let steps = 0;
  const step = () => { steps++; };
  /** Ms that the work takes without an abort, by the machine's present speed. */
  async function measure(work) {
    const [start, cpu] = [performance.now(), process.cpuUsage()];
    await work(new AbortController().signal);
    const ms = performance.now() - start;
    const { user, system } = process.cpuUsage(cpu);
    seen.busyness = Math.max(seen.busyness, (1000 * ms) / (user + system));
    return ms;
  }
  /** Aborts the work after so many ms, or once a promise is fulfilled; whether the work was over before. */
  async function abortAfter(when, work) {
    const controller = new AbortController();
    const reason = new Error('enough');
    let settled = 0;
    const call = work(controller.signal).then(
      () => { settled++; return 'finished'; },
      (error) => { settled++; return error === reason ? 'aborted' : String(error.stack); },
    );
    await Promise.race([typeof when === 'number' ? sleep(when) : when, call]);
    // Messages that other threads have sent already are taken first, and so do not count as sent after the abort.
    await new Promise((resolve) => setImmediate(resolve));
    const start = performance.now();
    const wasOver = settled > 0;
    const before = steps;
    controller.abort(reason);
    const outcome = await call;
    seen.stepsAfter.push(steps - before);
    if (outcome === 'aborted') { seen.aborted++; seen.settleMs.push(performance.now() - start); }
    else if (outcome === 'finished') seen.finished++;
    else seen.other.push(outcome);
    if (outcome === 'finished' && !wasOver) seen.settleMs.push(performance.now() - start);
    if (settled !== 1) seen.other.push('settled ' + settled + ' times');
    seen.listeners += getEventListeners(controller.signal, 'abort').length;
    return wasOver;
  }
  /** A seeded sequence spread evenly from 0 to 1, and in no order, for as long as aborts are to hit. */
  function* moments() {
    for (let i = 0; seen.aborted < ${POINTS} && i < ${ATTEMPTS}; i++) yield (i * 0.6180339887) % 1;
  }
  async function report() {
    await sleep(20);
    seen.settleMs.sort((a, b) => a - b);
    console.log(JSON.stringify({ ...seen, steps, unhandled }));
  }
`;

function expectToSettle({ aborted, other, listeners, unhandled, settleMs, busyness }: Loose): void {
  expect({ aborted, other, listeners, unhandled }).toEqual({ aborted: POINTS, other: [], listeners: 0, unhandled: 0 });
  expect(medianOf(settleMs)).toBeLessThanOrEqual(USUAL_MS * busyness);
  expect(settleMs.at(-1)).toBeLessThanOrEqual(LONGEST_MS * busyness);
}

const medianOf = (values: number[]): number => values.sort((a, b) => a - b)[Math.floor(values.length / 2)] as number;

test.each([
  ['loading', '', '(signal) => Brain3D.load({ model: MODEL, signal }).then((model) => model.dispose())'],
  [
    'reading a large file',
    `import { mkdtempSync, rmSync } from 'node:fs'; import { join } from 'node:path'; import { tmpdir } from 'node:os';
    const dir = mkdtempSync(join(tmpdir(), 'brain3d-')); process.on('exit', () => rmSync(dir, { recursive: true }));
    const shape = [256, 256, 256], affine = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1];
    const voxels = new Float32Array(256 ** 3).map((_, i) => (i * 7919) % 1013);
    await Volume.fromArray(voxels, shape, affine).write(join(dir, 'large.nii.gz'), { datatype: 'int16' });`,
    "(signal) => loadVolume(join(dir, 'large.nii.gz'), { signal })",
  ],
  [
    'reading and preprocessing',
    '',
    '(signal) => loadVolume(SAMPLE, { signal }).then((volume) => preprocess(volume, { skullStrip: "bet", signal }))',
  ],
  [
    'encoding and prefill',
    'const model = await Brain3D.load({ model: MODEL }); const input = await preprocess(await loadVolume(SAMPLE));',
    '(signal) => model.generate(input, { maxNewTokens: 1, signal })',
  ],
  [
    'decoding',
    'const model = await Brain3D.load({ model: MODEL }); const input = await preprocess(await loadVolume(SAMPLE));',
    '(signal) => model.generate([input, input], { minNewTokens: 100, maxNewTokens: 100, noRepeatNgramSize: 0, signal })',
  ],
])(
  `${POINTS} aborts at random moments of %s`,
  async (_what, before, work) => {
    const ending = await runScript(
      `${HARNESS} ${before}
    const work = ${work};
    await work(new AbortController().signal); // the first run loads what is loaded lazily
    let whole = await measure(work);
    for (const moment of moments()) if (await abortAfter(moment * whole, work)) whole = await measure(work);
    await measure(work);
    await report();`,
      [],
      LIMIT_MS,
    );
    expectToSettle(parsed(ending));
  },
  LIMIT_MS + 20_000,
);

test(
  `${POINTS} aborts at random moments of training`,
  async () => {
    const fixture = await writeTrainingFixture(join(dir, 'fixture'), { train: 4, val: 2 });
    const options = { ...fixture, phase: 'projector-warmup', epochs: 2, batchSize: 2, resume: true };
    const ending = await runScript(
      `${HARNESS}
    const options = ${JSON.stringify(options)};
    const train = (out) => (signal) => new brain3d.Trainer({ ...options, out, signal }).on('step', step).run();
    const runs = ${JSON.stringify(dir)};
    const whole = await measure(train(runs + '/whole'));
    // Each run goes on from the one before until it is done, then a new one begins; so most take less than the whole.
    for (const moment of moments()) await abortAfter(moment * 0.6 * whole, train(runs + '/run-' + seen.finished));
    await measure(train(runs + '/whole-again'));
    await report();`,
      [],
      LIMIT_MS,
    );
    const { steps, stepsAfter, ...seen } = parsed(ending);
    expectToSettle(seen);
    expect(steps).toBeGreaterThan(POINTS / 4);
    expect(Math.max(...stepsAfter)).toBeLessThanOrEqual(1);
  },
  LIMIT_MS + 20_000,
);

test(
  'after an abort no more than the token that is being computed comes',
  async () => {
    const ending = await runScript(
      `${HARNESS}
    import { loadAddon } from ${JSON.stringify(join(ROOT, 'dist/native/binding.js'))};
    import { handlesOf } from ${JSON.stringify(join(ROOT, 'test/support/fuzz/right-arguments.mjs'))};
    const { model, cached } = ${JSON.stringify(await cachedFixture())};
    const addon = loadAddon();
    const handles = await handlesOf(addon, { model, cached, sample: SAMPLE });
    const options = {
      ...{ maxNewTokens: 1000, minNewTokens: 1000, greedy: true, temperature: 1, topK: 0, topP: 1, seed: 1 },
      ...{ repetitionPenalty: 1, noRepeatNgramSize: 0, eosTokenIds: [1], padTokenId: 0, cudaGraph: false },
    };
    const work = (signal) => {
      const token = addon.createCancelToken();
      signal.addEventListener('abort', () => token.cancel(), { once: true });
      const call = handles.model.generate([handles.input], [2, 5, 6], options, token, step);
      return call.catch((error) => { signal.throwIfAborted(); throw error; });
    };
    await measure(work);
    for (const moment of moments()) {
      const first = steps + 1;
      let timer;
      const begun = new Promise((resolve) => { timer = setInterval(() => { if (steps >= first) resolve(); }, 1); });
      await abortAfter(begun.then(() => sleep(moment * 10)), work);
      clearInterval(timer);
    }
    await report();`,
      [],
      LIMIT_MS,
    );
    const { steps, stepsAfter, ...seen } = parsed(ending);
    expectToSettle(seen);
    expect(steps).toBeGreaterThanOrEqual(POINTS);
    // One may be on its way to this thread, one is computed; more were on their way if the thread did not get a core.
    expect(medianOf(stepsAfter)).toBeLessThanOrEqual(2);
  },
  LIMIT_MS + 20_000,
);

test('an abort of what waits for the computing of something else settles at once', async () => {
  const ending = await runScript(
    `${HARNESS}
    import { stat } from 'node:fs/promises';
    const [busy, other] = await Promise.all([Brain3D.load({ model: MODEL }), Brain3D.load({ model: MODEL })]);
    const volume = await loadVolume(SAMPLE);
    const input = await preprocess(volume);
    const controller = new AbortController();
    const batch = Array.from({ length: 8 }, () => input);
    const running = busy.generate(batch, { minNewTokens: 1500, maxNewTokens: 1500, noRepeatNgramSize: 0, signal: controller.signal })
      .then(() => 'finished', () => 'aborted');
    await sleep(300);
    seen.answerMs = [];
    for (let i = 0; i < 20; i++) {
      const start = performance.now();
      await stat(SAMPLE); // another thread is woken and answers
      seen.answerMs.push(performance.now() - start);
      await abortAfter(10, (signal) => preprocess(volume, { signal }));
      await abortAfter(10, (signal) => other.generate(input, { signal }));
      await abortAfter(10, (signal) => Brain3D.load({ model: MODEL, signal }));
      await abortAfter(10, (signal) => busy.generate(input, { signal }));
    }
    const stillBusy = await Promise.race([running, sleep(0).then(() => 'running')]);
    controller.abort();
    seen.stillBusy = [stillBusy, await running];
    await report();`,
  );
  const { stillBusy, aborted, settleMs, answerMs, ...rest } = parsed(ending);
  expect(stillBusy).toEqual(['running', 'aborted']);
  expect(aborted).toBe(80);
  expect(rest).toMatchObject({ other: [], listeners: 0, unhandled: 0 });
  expect(medianOf(settleMs)).toBeLessThanOrEqual(Math.max(5 * SLOWNESS, 20 * medianOf(answerMs)));
});
