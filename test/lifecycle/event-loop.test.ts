/** Load: the event loop and the host's files stay free, and reports come out as they would one by one. */
import { type Loose, parsed, runScript } from '../support/child';
import { HANG_MS } from '../support/limits';

/**
 * This runs in the child. `watched(work, watch)` calls `watch` twice: while the work runs, and then, as a control, while
 * one thread per processor only spins. The control shows the delays that this machine has under its other load.
 */
const WATCHED = `
  import { availableParallelism } from 'node:os';
  import { Worker } from 'node:worker_threads';
  async function watched(work, watch) {
    let isDone = false;
    const working = work().then(() => { isDone = true; });
    const start = performance.now();
    const beside = await watch(() => isDone);
    await working;
    const ms = performance.now() - start;
    const counting = Array.from({ length: availableParallelism() }, () => new Worker('for (;;);', { eval: true }));
    await Promise.all(counting.map((worker) => new Promise((resolve) => worker.once('online', resolve))));
    const end = performance.now() + ms;
    const control = await watch(() => performance.now() > end);
    await Promise.all(counting.map((worker) => worker.terminate()));
    return { beside, control };
  }
`;
/** The addon causes a delay of its own at every attempt; the machine's other load causes one only at some. */
const ATTEMPTS = 5;

/** In one of the attempts, every delay stays within its limit in ms or within three times the control's delay. */
async function expectDelays(limits: Loose, measure: () => Promise<{ beside: Loose; control: Loose }>): Promise<void> {
  const seen: Loose[] = [];
  const isWithin = ({ beside, control }: Loose): boolean =>
    Object.entries(limits).every(([name, limit]) => beside[name] <= Math.max(limit as number, 3 * control[name]));
  while (seen.length < ATTEMPTS && !seen.some(isWithin)) seen.push(await measure());
  expect({ limits, isWithin: seen.some(isWithin), seen }).toMatchObject({ isWithin: true });
}

/**
 * The limits in ms: of the host's own file reads, 99 of 100 take at most 20; the loop's delay is at most 20 in 99 of 100
 * samples and 50 in all. The histogram samples every 1 ms and counts whole intervals.
 */
const LIMITS = { readP99: 20, delayP99: 20, delayMax: 50 };

test(
  "the event loop and the host's files stay as free as beside mere counting, while eight reports are computed at once",
  async () => {
    await expectDelays(LIMITS, async () => {
      const ending = await runScript(
        `${WATCHED}
    import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
    import { readFile } from 'node:fs/promises';
    import { tmpdir } from 'node:os';
    import { join } from 'node:path';
    import { monitorEventLoopDelay } from 'node:perf_hooks';
    const dir = mkdtempSync(join(tmpdir(), 'host-'));
    const file = join(dir, 'small');
    writeFileSync(file, Buffer.alloc(1024, 7));
    const model = await Brain3D.load({ model: MODEL });
    await model.generate(SAMPLE); // the first run loads what is loaded lazily
    const delays = async (isOver) => {
      const delay = monitorEventLoopDelay({ resolution: 1 });
      delay.enable();
      const taken = [];
      // A 99th percentile needs as many, even if the machine is so busy that few come to pass.
      while (!isOver() || taken.length < 200) {
        const start = performance.now();
        await readFile(file);
        taken.push(performance.now() - start);
        await sleep(2);
      }
      delay.disable();
      taken.sort((a, b) => a - b);
      const readP99 = taken[Math.floor(0.99 * taken.length)];
      return { readP99, delayP99: delay.percentile(99) / 1e6, delayMax: delay.max / 1e6 };
    };
    let reports;
    const work = async () => {
      reports = await Promise.all(Array.from({ length: 8 }, () => model.generate(SAMPLE, { greedy: true })));
    };
    const seen = await watched(work, delays);
    await model.dispose();
    rmSync(dir, { recursive: true });
    const same = reports.every((report) => report.text === reports[0].text);
    console.log(JSON.stringify({ same, ...seen }));
  `,
      );
      const { same, ...seen } = parsed(ending);
      expect(same).toBe(true);
      return seen;
    });
  },
  ATTEMPTS * HANG_MS,
);

test('64 requests over 4 volumes give the texts that they give one by one', async () => {
  const ending = await runScript(
    `
    const model = await Brain3D.load({ model: MODEL });
    const first = await preprocess(await loadVolume(SAMPLE));
    const width = first.info.shape[2];
    // Half dark, on either side, and mirrored: other images, so other texts.
    const changed = (at) => preprocess(Volume.fromArray(first.data().map(at), first.info.shape, first.info.affine), { skullStrip: 'none' });
    const volumes = [
      first,
      await changed((x, i) => (i % width < width / 2 ? x / 3 : x)),
      await changed((x, i) => (i % width < width / 2 ? x : x / 3)),
      await changed((x, i, all) => all[i - (i % width) + width - 1 - (i % width)]),
    ];
    const options = { greedy: true, maxNewTokens: 24 };
    const alone = [];
    for (const volume of volumes) alone.push((await model.generate(volume, options)).tokenIds.join());
    const order = [];
    const together = await Promise.all(
      Array.from({ length: 64 }, (_, i) => model.generate(volumes[i % 4], options).then((report) => { order.push(i); return report.tokenIds.join(); })),
    );
    await model.dispose();
    const wrong = together.filter((ids, i) => ids !== alone[i % 4]).length;
    console.log(JSON.stringify({ wrong, texts: new Set(alone).size, inOrder: order.every((x, i) => x === i) }));
  `,
  );
  expect(parsed(ending)).toMatchObject({ wrong: 0, texts: 4, inOrder: true });
});
