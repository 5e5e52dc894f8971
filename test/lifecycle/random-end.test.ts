/** Processes and worker threads that end at random moments of loading, preprocessing and generating. */
import { parsed, runScript } from '../support/child';
import { HANG_MS } from '../support/limits';
import { rounds } from '../support/rounds';

/** Everything that computes, again and again until it is ended. */
const WORK = `
  (async () => {
    for (;;) {
      const model = await Brain3D.load({ model: MODEL });
      const input = await preprocess(await loadVolume(SAMPLE), { skullStrip: 'none' });
      await model.generate([input, input], { minNewTokens: 60, maxNewTokens: 60, noRepeatNgramSize: 0 });
      for await (const chunk of model.stream(input, { maxNewTokens: 20 })) if (chunk.tokenId < 0) break;
      await model.dispose();
    }
  })().catch((error) => { console.error(error); process.exit(99); });
`;

/** Delays from 0 to `max`, spread evenly, in no order. */
const moment = (index: number, max: number): number => Math.floor(((index * 0.6180339887) % 1) * max);

const ENDS: [what: string, end: string, expected: { code: number | null; signal: string | null }][] = [
  ['process.exit', 'process.exit(7)', { code: 7, signal: null }],
  ['SIGTERM', `process.kill(process.pid, 'SIGTERM')`, { code: null, signal: 'SIGTERM' }],
  [
    'a handled SIGTERM',
    `process.on('SIGTERM', () => process.exit(3)); process.kill(process.pid, 'SIGTERM')`,
    { code: 3, signal: null },
  ],
  ['an uncaught exception', `throw new Error('of the host')`, { code: 1, signal: null }],
  ['an unhandled rejection', `Promise.reject(new Error('of the host'))`, { code: 1, signal: null }],
];

const EACH = rounds(4);
const TERMINATIONS = rounds(24);
const TERMINATE_LIMIT_MS = HANG_MS + 20_000 * TERMINATIONS;

test.each(ENDS)(
  '%s at random moments ends the process as it should',
  async (_what, end, expected) => {
    for (let round = 0; round < EACH; round++) {
      const ending = await runScript(`setTimeout(() => { ${end}; }, ${moment(round, 1500)}); ${WORK}`);
      expect({ round, code: ending.code, signal: ending.signal }).toEqual({ round, ...expected });
      if (expected.code === 1) expect(ending.stderr).toContain('of the host');
    }
  },
  HANG_MS + 100_000 * EACH,
);

test(
  'worker.terminate() at random moments leaves the process and the addon intact',
  async () => {
    const ending = await runScript(
      `
    import { Worker } from 'node:worker_threads';
    const { readFileSync } = await import('node:fs');
    const threads = () => Number(/^Threads:\\s+(\\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))[1]);
    const code = \`
      const { Brain3D, loadVolume, preprocess } = require('brain3d');
      const MODEL = \${JSON.stringify(MODEL)}, SAMPLE = \${JSON.stringify(SAMPLE)};
      ${WORK}
    \`;
    const model = await Brain3D.load({ model: MODEL });
    const expected = (await model.generate(SAMPLE, { greedy: true, maxNewTokens: 16 })).text;
    let before = 0, longest = 0, longestStart = 0;
    const codes = new Set();
    for (let round = 0; round < ${TERMINATIONS}; round++) {
      const begin = performance.now();
      const worker = new Worker(code, { eval: true, execArgv: [] });
      await new Promise((resolve) => worker.once('online', resolve));
      longestStart = Math.max(longestStart, performance.now() - begin);
      worker.on('error', (error) => codes.add(String(error)));
      await sleep((round * 0.6180339887) % 1 * 1200);
      const start = performance.now();
      codes.add(await worker.terminate());
      longest = Math.max(longest, performance.now() - start);
      if (round === 4) before = threads();
    }
    const after = threads();
    const same = (await model.generate(SAMPLE, { greedy: true, maxNewTokens: 16 })).text === expected;
    await model.dispose();
    console.log(JSON.stringify({ codes: [...codes], same, longest, longestStart, grown: after - before }));
  `,
      [],
      TERMINATE_LIMIT_MS,
    );
    const { codes, same, longest, longestStart, grown } = parsed(ending);
    // A thread that had not begun ends with 0.
    expect(codes.filter((code: unknown) => code !== 0 && code !== 1)).toEqual([]);
    expect(same).toBe(true);
    // It takes a step of what is computed. On a busy machine starting a thread takes longer, too.
    expect(longest).toBeLessThan(Math.max(5_000, 20 * longestStart));
    expect(grown).toBeLessThanOrEqual(2);
  },
  TERMINATE_LIMIT_MS + 10_000,
);
