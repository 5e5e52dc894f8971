/** Aborts at random moments of everything that computes: they settle soon, once, and leave nothing behind. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Loose, parsed, runScript } from '../support/child';
import { rounds } from '../support/rounds';
import { writeTrainingFixture } from '../support/training';

/** Of each kind: 100 in all. */
const POINTS = rounds(20);
/** From the abort to the rejection: the median, and the longest. Steps take a few ms; the rest is for busy machines. */
const USUAL_MS = 150;
const LONGEST_MS = 1500;

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
  const seen = { aborted: 0, finished: 0, other: [], listeners: 0, settleMs: [] };
  async function abortAfter(ms, work) {
    const controller = new AbortController();
    const reason = new Error('enough');
    let settled = 0;
    const call = work(controller.signal).then(
      () => { settled++; return 'finished'; },
      (error) => { settled++; return error === reason ? 'aborted' : String(error.stack); },
    );
    await Promise.race([sleep(ms), call]);
    const start = performance.now();
    const wasOver = settled > 0;
    controller.abort(reason);
    const outcome = await call;
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
    console.log(JSON.stringify({ ...seen, unhandled }));
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
      280_000,
    );
    expectToSettle(parsed(ending), POINTS);
  },
  300_000,
);

test(`${POINTS} aborts at random moments of training`, async () => {
  const fixture = await writeTrainingFixture(join(dir, 'fixture'), { train: 4, val: 2 });
  const options = { ...fixture, phase: 'projector-warmup', epochs: 2, batchSize: 2, resume: true };
  const ending = await runScript(
    `${HARNESS}
    const options = ${JSON.stringify(options)};
    const train = (out) => (signal) => new brain3d.Trainer({ ...options, out, signal }).run();
    const start = performance.now();
    await train(${JSON.stringify(join(dir, 'whole'))})(new AbortController().signal);
    const whole = performance.now() - start;
    // Each run goes on from the one before until it is done, then a new one begins.
    for (let i = 0; i < ${POINTS}; i++) {
      await abortAfter(((i * 0.6180339887) % 1) * whole, train(${JSON.stringify(dir)} + '/run-' + seen.finished));
    }
    await report();`,
    [],
    280_000,
  );
  expectToSettle(parsed(ending), POINTS);
}, 300_000);

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
  expect(settleMs[Math.floor(settleMs.length / 2)]).toBeLessThanOrEqual(5);
});
