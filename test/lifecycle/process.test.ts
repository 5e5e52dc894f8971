/** Tests of how a process that uses the addon ends, and of what outlives what. Each case is a process of its own. */
import { parsed, runNode, runScript } from '../support/child';
import { SLOWNESS } from '../support/sanitizer';

/** A generation long enough to be interrupted: EOS is forbidden. */
const LONG = '{ minNewTokens: 1500, maxNewTokens: 1500, noRepeatNgramSize: 0 }';

describe('a process', () => {
  test('ends by itself when nothing is in flight, the model not disposed', async () => {
    const ending = await runScript(`await Brain3D.load({ model: MODEL }); console.log('"loaded"');`);
    expect(parsed(ending)).toBe('loaded');
  });

  test('stays alive until a generation nobody awaits has settled', async () => {
    const ending = await runScript(`
      const model = await Brain3D.load({ model: MODEL });
      model.generate(SAMPLE).then((report) => console.log(JSON.stringify(report.finishReason)));
    `);
    expect(parsed(ending)).toBe('eos');
  });

  test('exits with the code it asked for in mid-generation', async () => {
    const ending = await runScript(`
      const model = await Brain3D.load({ model: MODEL });
      const input = await preprocess(await loadVolume(SAMPLE));
      model.generate(input, ${LONG}).catch(() => {});
      setTimeout(() => process.exit(7), 300);
    `);
    expect(ending).toMatchObject({ code: 7, signal: null });
  });

  test('ends with status 1 and the error when one is uncaught in mid-generation', async () => {
    const ending = await runScript(`
      const model = await Brain3D.load({ model: MODEL });
      model.generate(SAMPLE, ${LONG}).catch(() => {});
      setTimeout(() => { throw new Error('the host failed'); }, 300);
    `);
    expect(ending).toMatchObject({ code: 1, signal: null });
    expect(ending.stderr).toContain('the host failed');
  });

  test('obeys SIGTERM in mid-generation', async () => {
    const ending = await runScript(`
      const model = await Brain3D.load({ model: MODEL });
      model.generate(SAMPLE, ${LONG}).catch(() => {});
      setTimeout(() => process.kill(process.pid, 'SIGTERM'), 300);
    `);
    expect(ending).toMatchObject({ signal: 'SIGTERM' });
  });
});

describe('a model', () => {
  test('finishes the work it has when disposed, and refuses more', async () => {
    const ending = await runScript(`
      const model = await Brain3D.load({ model: MODEL });
      const working = model.generate(SAMPLE);
      await sleep(50);
      const disposed = model.dispose();
      const refusal = await model.generate(SAMPLE).catch((error) => error.code);
      const report = await working;
      await disposed;
      await model.dispose();
      console.log(JSON.stringify({ refusal, finishReason: report.finishReason }));
    `);
    expect(parsed(ending)).toEqual({ refusal: 'BRAIN3D_DISPOSED', finishReason: 'eos' });
  });

  test('lives beside another one in the same process', async () => {
    const ending = await runScript(`
      const [first, second] = await Promise.all([Brain3D.load({ model: MODEL }), Brain3D.load({ model: MODEL })]);
      const [a, b] = await Promise.all([first.generate(SAMPLE), second.generate(SAMPLE)]);
      await first.dispose();
      const c = await second.generate(SAMPLE);
      await second.dispose();
      console.log(JSON.stringify([a.text === b.text, b.text === c.text, a.text.length > 40]));
    `);
    expect(parsed(ending)).toEqual([true, true, true]);
  });

  test('survives garbage collection in mid-run, its volumes unreferenced', async () => {
    const ending = await runScript(
      `
      const model = await Brain3D.load({ model: MODEL });
      const run = async () => model.generate(await preprocess(await loadVolume(SAMPLE)), { greedy: true });
      const working = run();
      const timer = setInterval(() => global.gc(), 5);
      const [a, b] = [await working, await run()];
      clearInterval(timer);
      console.log(JSON.stringify(a.text === b.text));
    `,
      ['--expose-gc'],
    );
    expect(parsed(ending)).toBe(true);
  });

  test('frees a volume that is no longer referenced', async () => {
    const ending = await runScript(
      `
      const affine = [1,0,0,0, 0,1,0,0, 0,0,1,0, 0,0,0,1];
      const settle = async () => { for (let i = 0; i < 5; i++) { global.gc(); await sleep(5); } };
      const make = () => Volume.fromArray(new Float32Array(1 << 22).fill(1), [128, 128, 256], affine);
      for (let i = 0; i < 5; i++) make();
      await settle();
      const before = process.memoryUsage().rss;
      for (let i = 0; i < 40; i++) { make(); await settle(); }
      console.log(JSON.stringify((process.memoryUsage().rss - before) / (1 << 24)));
    `,
      ['--expose-gc'],
    );
    expect(parsed(ending)).toBeLessThan(8 * SLOWNESS); // of 40 volumes of 16 MiB
  });
});

describe('the addon', () => {
  test('loads twice in one process: as ESM, as CommonJS, and past the module cache', async () => {
    const ending = await runScript(
      `
      import { createRequire } from 'node:module';
      const require = createRequire(import.meta.url ?? process.cwd() + '/x.js');
      const cjs = require('brain3d');
      const model = await Brain3D.load({ model: MODEL });
      for (const key of Object.keys(require.cache)) delete require.cache[key];
      const again = require('brain3d');
      const second = await again.Brain3D.load({ model: MODEL });
      const [a, b] = await Promise.all([model.generate(SAMPLE), second.generate(SAMPLE)]);
      console.log(JSON.stringify({ same: cjs.Brain3D === Brain3D, fresh: again.Brain3D !== Brain3D, equal: a.text === b.text }));
    `.replace('import.meta.url ?? ', ''),
    );
    expect(parsed(ending)).toEqual({ same: true, fresh: true, equal: true });
  });

  test('serves the main thread and worker threads at once', async () => {
    const ending = await runScript(`
      import { Worker } from 'node:worker_threads';
      const code = \`
        const { parentPort } = require('node:worker_threads');
        const { Brain3D } = require('brain3d');
        (async () => {
          const model = await Brain3D.load({ model: \${JSON.stringify(MODEL)} });
          parentPort.postMessage((await model.generate(\${JSON.stringify(SAMPLE)})).text);
          await model.dispose();
        })();
      \`;
      const inWorker = () => new Promise((resolve, reject) => {
        const worker = new Worker(code, { eval: true, execArgv: [] });
        worker.once('message', resolve); worker.once('error', reject);
      });
      const model = await Brain3D.load({ model: MODEL });
      const [main, ...workers] = await Promise.all([model.generate(SAMPLE).then((r) => r.text), inWorker(), inWorker()]);
      await model.dispose();
      console.log(JSON.stringify(workers.map((text) => text === main)));
    `);
    expect(parsed(ending)).toEqual([true, true]);
  });

  test('lets a worker be terminated in mid-generation', async () => {
    const ending = await runScript(`
      import { Worker } from 'node:worker_threads';
      const code = \`
        const { parentPort } = require('node:worker_threads');
        const { Brain3D } = require('brain3d');
        (async () => {
          const model = await Brain3D.load({ model: \${JSON.stringify(MODEL)} });
          parentPort.postMessage('started');
          await model.generate(\${JSON.stringify(SAMPLE)}, ${LONG});
        })();
      \`;
      for (let i = 0; i < 5; i++) {
        const worker = new Worker(code, { eval: true, execArgv: [] });
        await new Promise((resolve, reject) => { worker.once('message', resolve); worker.once('error', reject); });
        await sleep(100 * i);
        await worker.terminate();
      }
      const model = await Brain3D.load({ model: MODEL });
      console.log(JSON.stringify((await model.generate(SAMPLE)).finishReason));
      await model.dispose();
    `);
    expect(parsed(ending)).toBe('eos');
  });

  // The addon calls process.once as it starts.
  test.each([
    ['is interrupted by worker.terminate()', `parentPort.postMessage('here'); for (;;);`, []],
    ['throws', `throw new Error('of the host');`, Array(3).fill(expect.stringContaining('of the host'))],
  ])('outlives workers in which the start of the addon %s', async (_what, once, errors) => {
    const ending = await runScript(`
      import { Worker } from 'node:worker_threads';
      const code = \`
        const { parentPort } = require('node:worker_threads');
        process.once = () => { ${once} };
        require('brain3d').Brain3D.load({ model: \${JSON.stringify(MODEL)} });
      \`;
      const codes = [], errors = [];
      for (let round = 0; round < 3; round++) {
        const worker = new Worker(code, { eval: true, execArgv: [] });
        worker.on('message', () => worker.terminate());
        worker.on('error', (error) => errors.push(error.message));
        codes.push(await new Promise((resolve) => worker.on('exit', resolve)));
      }
      await (await Brain3D.load({ model: MODEL })).dispose();
      console.log(JSON.stringify({ codes, errors }));
    `);
    expect(parsed(ending)).toEqual({ codes: [1, 1, 1], errors });
  });

  test('refuses an Electron renderer', async () => {
    const ending = await runNode([
      '--eval',
      `process.type = 'renderer'; require('brain3d').Brain3D.load({ model: 'x' }).catch((e) => console.log(JSON.stringify(e.code)));`,
    ]);
    expect(parsed(ending)).toBe('BRAIN3D_ADDON');
  });
});
