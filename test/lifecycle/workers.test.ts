/** Many worker threads with models of their own: the texts are those of one thread, and nothing of the threads is left. */
import { join } from 'node:path';
import { parsed, ROOT, runScript } from '../support/child';
import { HANG_MS } from '../support/limits';
import { rounds } from '../support/rounds';

/** BRAIN3D_ROUNDS=16 for the whole: 16 threads with 20 requests each. */
const WORKERS = rounds(4);
const REQUESTS = WORKERS < 16 ? 5 : 20;
const LIMIT_MS = HANG_MS + 300_000 * WORKERS;

test(
  `${WORKERS} workers with ${REQUESTS} requests each, beside the main thread`,
  async () => {
    const ending = await runScript(
      `
      import { once } from 'node:events';
      import { readdirSync } from 'node:fs';
      import { Worker } from 'node:worker_threads';
      const options = { maxNewTokens: 12, temperature: 3, topK: 500, topP: 1 };
      const work = async (seeds) => {
        const workerData = { model: MODEL, volume: SAMPLE, seeds, options };
        const worker = new Worker(${JSON.stringify(join(ROOT, 'test/support/report-worker.cjs'))}, { workerData });
        const exited = once(worker, 'exit');
        const [texts] = await once(worker, 'message');
        await exited;
        return texts;
      };
      const seedsOf = (index) => Array.from({ length: ${REQUESTS} }, (_, request) => 1000 * index + request);
      const left = () => ['fd', 'task'].map((what) => readdirSync('/proc/self/' + what).length);

      const model = await Brain3D.load({ model: MODEL });
      const input = await preprocess(await loadVolume(SAMPLE));
      const inTurn = async (seeds) => {
        const texts = [];
        for (const seed of seeds) texts.push((await model.generate(input, { ...options, seed })).text);
        return texts;
      };
      const expected = [];
      for (let index = 0; index < ${WORKERS}; index++) expected.push(await inTurn(seedsOf(index)));
      await Promise.all([work([1]), work([2])]); // what is made once is made now
      await sleep(200);
      const before = left();

      const [main, ...workers] = await Promise.all([
        inTurn(seedsOf(0)),
        ...expected.map((_, index) => work(seedsOf(index))),
      ]);
      // Threads that have ended are gone a moment later.
      for (let wait = 0; wait < 2400 && left().some((count, kind) => count > before[kind]); wait++) await sleep(50);
      const same = (texts, index) => texts.join('|') === expected[index].join('|');
      console.log(JSON.stringify({
        distinct: new Set(expected.flat()).size,
        isMainSame: same(main, 0),
        wrong: workers.filter((texts, index) => !same(texts, index)).length,
        before,
        after: left(),
      }));
      await model.dispose();
    `,
      [],
      LIMIT_MS,
    );
    const { before, after, distinct, ...texts } = parsed(ending);
    expect(texts).toEqual({ isMainSame: true, wrong: 0 });
    expect(distinct).toBeGreaterThan(WORKERS); // else equal texts would say nothing
    for (const [kind, count] of after.entries()) expect(count).toBeLessThanOrEqual(before[kind]);
  },
  LIMIT_MS + 10_000,
);
