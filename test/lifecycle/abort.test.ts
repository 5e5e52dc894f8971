/** Aborts at random moments of everything that computes: they settle soon, once, and leave nothing behind. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Loose, parsed, ROOT, runScript } from '../support/child';
import { rounds } from '../support/rounds';
import { SLOWNESS } from '../support/sanitizer';
import { writeTrainingFixture } from '../support/training';

/** Of each kind: 100 in all. */
const POINTS = rounds(20);
const LIMIT_MS = 200_000 + 8000 * POINTS;
/** From the abort to the rejection: the median, and the longest. Steps take a few ms; the rest is for busy machines. */
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
  const seen = { aborted: 0, finished: 0, other: [], listeners: 0, settleMs: [], stepsAfter: [] };
  let steps = 0;
  const step = () => { steps++; };
  /** Aborts the work after so many ms, or once a promise is fulfilled. */
  async function abortAfter(when, work) {
    const controller = new AbortController();
    const reason = new Error('enough');
    let settled = 0;
    const call = work(controller.signal).then(
      () => { settled++; return 'finished'; },
      (error) => { settled++; return error === reason ? 'aborted' : String(error.stack); },
    );
    await Promise.race([typeof when === 'number' ? sleep(when) : when, call]);
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
  }
  async function report() {
    await sleep(20);
    seen.settleMs.sort((a, b) => a - b);
    console.log(JSON.stringify({ ...seen, steps, unhandled }));
  }
`;

function expectToSettle({ aborted, other, listeners, unhandled, settleMs }: Loose, points: number): void {
  expect({ other, listeners, unhandled }).toEqual({ other: [], listeners: 0, unhandled: 0 });
  expect(aborted).toBeGreaterThan(points / 4); // the others were over before
  expect(settleMs[Math.floor(settleMs.length / 2)]).toBeLessThanOrEqual(USUAL_MS);
  expect(settleMs.at(-1)).toBeLessThanOrEqual(LONGEST_MS);
}

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
    await work(new AbortController().signal); // what is loaded lazily is loaded now
    const start = performance.now();
    await work(new AbortController().signal);
    const whole = performance.now() - start;
    // A seeded sequence spread evenly over the work's duration, and in no order.
    for (let i = 0; i < ${POINTS}; i++) await abortAfter(((i * 0.6180339887) % 1) * whole, work);
    await report();`,
      [],
      LIMIT_MS,
    );
    expectToSettle(parsed(ending), POINTS);
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
    const start = performance.now();
    await train(${JSON.stringify(join(dir, 'whole'))})(new AbortController().signal);
    const whole = performance.now() - start;
    // Each run goes on from the one before until it is done, then a new one begins; so most take less than the whole.
    for (let i = 0; i < ${POINTS}; i++) {
      await abortAfter(((i * 0.6180339887) % 1) * 0.6 * whole, train(${JSON.stringify(dir)} + '/run-' + seen.finished));
    }
    await report();`,
      [],
      LIMIT_MS,
    );
    const { steps, stepsAfter, ...seen } = parsed(ending);
    expectToSettle(seen, POINTS);
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
    for (let i = 0; i < ${POINTS}; i++) {
      const first = steps + 1;
      let timer;
      const begun = new Promise((resolve) => { timer = setInterval(() => { if (steps >= first) resolve(); }, 1); });
      await abortAfter(begun.then(() => sleep(i % 10)), work);
      clearInterval(timer);
    }
    await report();`,
      [],
      LIMIT_MS,
    );
    const { steps, stepsAfter, ...seen } = parsed(ending);
    expectToSettle(seen, POINTS);
    expect(steps).toBeGreaterThanOrEqual(POINTS);
    // One may be on its way to this thread, one is computed; more were on their way if the thread did not get a core.
    stepsAfter.sort((a: number, b: number) => a - b);
    expect(stepsAfter[Math.floor(stepsAfter.length / 2)]).toBeLessThanOrEqual(2);
  },
  LIMIT_MS + 20_000,
);

test('an abort of what waits for the computing of something else settles at once', async () => {
  const ending = await runScript(
    `${HARNESS}
    const [busy, other] = await Promise.all([Brain3D.load({ model: MODEL }), Brain3D.load({ model: MODEL })]);
    const volume = await loadVolume(SAMPLE);
    const input = await preprocess(volume);
    const controller = new AbortController();
    const batch = Array.from({ length: 8 }, () => input);
    const running = busy.generate(batch, { minNewTokens: 1500, maxNewTokens: 1500, noRepeatNgramSize: 0, signal: controller.signal })
      .then(() => 'finished', () => 'aborted');
    await sleep(300);
    for (let i = 0; i < 20; i++) {
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
  const { stillBusy, aborted, settleMs, ...rest } = parsed(ending);
  expect(stillBusy).toEqual(['running', 'aborted']);
  expect(aborted).toBe(80);
  expect(rest).toMatchObject({ other: [], listeners: 0, unhandled: 0 });
  expect(settleMs[Math.floor(settleMs.length / 2)]).toBeLessThanOrEqual(5 * SLOWNESS);
});
