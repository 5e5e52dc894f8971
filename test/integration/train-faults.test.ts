/** Training that is interrupted, refused, or goes wrong. */
import { getEventListeners } from 'node:events';
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { readCacheIndex, TRAINING_PHASES, Trainer, type TrainerOptions } from 'brain3d';
import type { Loose } from '../support/child';
import { adapterOf, comparable, failure, readLog, train, trainingWorkbench, weightsOf } from '../support/training';

const bench = trainingWorkbench();
const { fresh, options } = bench;

/** The fixture's manifest with each entry edited. */
const edited = (edit: (entry: Loose) => Loose): string => {
  const path = `${fresh()}.jsonl`;
  const lines = readFileSync(bench.fixture.data, 'utf8').trim().split('\n');
  writeFileSync(path, `${lines.map((line) => JSON.stringify(edit(JSON.parse(line)))).join('\n')}\n`);
  return path;
};

describe('a run that is interrupted', () => {
  const interrupted = { epochs: 2, batchSize: 2, warmupSteps: 1 } as const;

  test.each(TRAINING_PHASES)('%s: goes on after an abort as if nothing had happened', async (phase) => {
    const whole = options({ ...interrupted, phase });
    const { model } = await train(whole);
    const parts = { ...whole, out: fresh() };
    // The aborts come in the middle of a step, right after one, and in the validation.
    const points: ((trainer: Trainer, abort: () => void) => void)[] = [
      (trainer, abort) => trainer.on('step', ({ step }) => void (step === 1 && setTimeout(abort, 1))),
      (trainer, abort) => trainer.on('step', ({ step }) => void (step >= 2 && abort())),
      (trainer, abort) => trainer.on('progress', ({ stage }) => void (stage === 'validating' && abort())),
    ];
    for (const point of points) {
      const controller = new AbortController();
      const reason = new Error('enough');
      const ended = train({ ...parts, resume: true, signal: controller.signal }, (trainer) =>
        point(trainer, () => controller.abort(reason)),
      );
      expect(await failure(ended)).toBe(reason);
      expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
    }
    const resumed = await train({ ...parts, resume: true });
    expect(comparable(readLog(parts.out, phase))).toEqual(comparable(readLog(whole.out, phase)));
    expect(readFileSync(weightsOf(resumed.model)).equals(readFileSync(weightsOf(model)))).toBe(true);
    if (phase === 'lora-sft')
      expect(readFileSync(adapterOf(resumed.model)).equals(readFileSync(adapterOf(model)))).toBe(true);
  });

  test('all phases: goes on in the phase where it was', async () => {
    const whole = options({ ...interrupted, batchSize: 3 });
    const { model } = await train(whole);
    const parts = { ...whole, out: fresh() };
    const controller = new AbortController();
    const ended = train({ ...parts, signal: controller.signal }, (trainer) =>
      trainer.on('step', ({ phase }) => void (phase === 'projector-warmup' && controller.abort())),
    );
    expect(await failure(ended)).toMatchObject({ name: 'AbortError' });
    const starts: [string, number][] = [];
    const resumed = await train({ ...parts, resume: true }, (trainer) =>
      trainer.on('phase', ({ phase, resumedAt }) => starts.push([phase, resumedAt])),
    );
    expect(starts).toEqual([
      ['projector-warmup', 1],
      ['lora-sft', 0],
    ]);
    expect(resumed.phases.map(({ phase }) => phase)).toEqual([...TRAINING_PHASES]);
    for (const file of [weightsOf, adapterOf])
      expect(readFileSync(file(resumed.model)).equals(readFileSync(file(model)))).toBe(true);
  });

  test('stands still while it is paused, with its state saved, and then goes on', async () => {
    const given = options({ ...interrupted, phase: 'projector-warmup' });
    await using trainer = new Trainer(given);
    let steps = 0;
    let paused: Promise<void> | undefined;
    trainer.on('step', () => {
      steps++;
      if (steps === 2) paused = trainer.pause();
    });
    const running = trainer.run();
    while (paused === undefined) await new Promise((resolve) => setTimeout(resolve, 5));
    await paused;
    expect(readdirSync(join(given.out, 'projector-warmup/states'))).toEqual(['step-00000002']);
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(steps).toBe(2);
    trainer.resume();
    await running;
    expect(steps).toBe(6);
    await trainer.pause(); // of a run that has ended: nothing to wait for
  });

  test('ends when it is disposed, also while paused, and runs only once', async () => {
    const trainer = new Trainer(options({ phase: 'projector-warmup' }));
    trainer.on('step', () => void trainer.pause());
    const running = failure(trainer.run());
    await trainer.pause();
    await trainer.dispose();
    expect(await running).toMatchObject({ code: 'BRAIN3D_DISPOSED' });
    expect(await failure(trainer.run())).toMatchObject({ code: 'BRAIN3D_USAGE' });
    await trainer.dispose();
  });

  test('has its folder for itself', async () => {
    const given = options({ phase: 'projector-warmup' });
    let second: Promise<Loose> | undefined;
    await train(given, (trainer) =>
      trainer.on('step', () => {
        second ??= failure(train({ ...given, resume: true }));
      }),
    );
    expect(await second).toMatchObject({
      code: 'BRAIN3D_USAGE',
      file: 'lock',
      message: expect.stringContaining(`in use by process ${process.pid}`),
    });
    // This file is of a process that was killed while it wrote.
    writeFileSync(join(given.out, 'lock'), '{"ho');
    await train({ ...given, resume: true });
    expect(existsSync(join(given.out, 'lock'))).toBe(false);
    // This lock is of a machine whose processes nobody can see from here.
    writeFileSync(join(given.out, 'lock'), '{"host":"elsewhere","pid":1}');
    expect(await failure(train({ ...given, resume: true }))).toMatchObject({ code: 'BRAIN3D_USAGE', file: 'lock' });
    writeFileSync(join(given.out, 'lock'), JSON.stringify({ host: hostname(), pid: process.ppid }));
    expect(await failure(train({ ...given, resume: true }))).toMatchObject({ code: 'BRAIN3D_USAGE', file: 'lock' });
  });

  test('keeps run and cache apart', async () => {
    const out = fresh();
    expect(await failure(train(options({ out, cache: `${out}/` })))).toMatchObject({
      code: 'BRAIN3D_USAGE',
      field: 'cache',
    });
    expect(existsSync(out)).toBe(false);
  });

  test('writes no more once its lock is gone', async () => {
    const given = options({ phase: 'projector-warmup', epochs: 6, saveSteps: 1 });
    const state = () => {
      const run = join(given.out, 'projector-warmup');
      return [readFileSync(join(run, 'log.jsonl'), 'utf8'), readdirSync(join(run, 'states')).sort()];
    };
    let held: unknown;
    const ended = await failure(
      train(given, (trainer) =>
        trainer.on('state', ({ step }) => {
          if (step !== 3) return;
          rmSync(join(given.out, 'lock'));
          held = state();
        }),
      ),
    );
    expect(ended).toMatchObject({
      code: 'BRAIN3D_IO',
      file: 'lock',
      message: expect.stringContaining('writes no more'),
    });
    expect(state()).toEqual(held);
    expect((await train({ ...given, resume: true })).phases).toMatchObject([{ epochs: 6 }]);
  });

  test('ends with what a listener throws', async () => {
    const thrown = new Error('the listener failed');
    const running = train(options({ phase: 'projector-warmup' }), (trainer) =>
      trainer.on('step', () => {
        throw thrown;
      }),
    );
    expect(await failure(running)).toBe(thrown);
  });

  test('stops early, and keeps the best epoch', async () => {
    const stops: Loose[] = [];
    const given = options({ phase: 'projector-warmup', epochs: 9, patience: 2, minDelta: 100 });
    const { phases } = await train(given, (trainer) => trainer.on('earlyStop', (stop) => stops.push(stop)));
    expect(phases).toMatchObject([{ reason: 'early-stop', epochs: 3, best: { epoch: 1, step: 2 } }]);
    expect(stops).toMatchObject([{ phase: 'projector-warmup', epoch: 3 }]);
    expect(readdirSync(join(given.out, 'projector-warmup')).filter((name) => /^best-/.test(name))).toEqual([
      'best-00000002',
    ]);
  });
});

describe('refused', () => {
  test('a folder that holds something else, or a run that is not to be resumed', async () => {
    const given = options({ phase: 'projector-warmup' });
    await train(given);
    expect(await failure(train(given))).toMatchObject({
      code: 'BRAIN3D_USAGE',
      message: expect.stringContaining('--resume'),
    });
    const other = { ...given, out: fresh() };
    cpSync(bench.fixture.model, join(other.out, 'model'), { recursive: true });
    expect(await failure(train(other))).toMatchObject({
      code: 'BRAIN3D_USAGE',
      message: expect.stringContaining("'model'"),
    });
    rmSync(join(given.out, 'projector-warmup/run.json'));
    expect(await failure(train({ ...given, resume: true }))).toMatchObject({ code: 'BRAIN3D_USAGE', file: 'run.json' });
  });

  test('to resume with what decides the result changed, or from a damaged state', async () => {
    const given = options({ phase: 'projector-warmup' });
    await train(given);
    const resumed = (changes: Partial<TrainerOptions>) => failure(train({ ...given, resume: true, ...changes }));
    expect(await resumed({ seed: 1 })).toMatchObject({
      code: 'BRAIN3D_CONFIG',
      field: 'settings.seed',
      message: expect.stringMatching(/^the run began with settings.seed 0, got 1;/),
    });
    expect(await resumed({ dtype: 'bfloat16' })).toMatchObject({ code: 'BRAIN3D_CONFIG', field: 'dtype' });
    const state = join(given.out, 'projector-warmup/states/step-00000004-epoch-0002/state.safetensors');
    const bytes = readFileSync(state);
    bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1);
    writeFileSync(state, bytes);
    expect(await resumed({})).toMatchObject({
      code: 'BRAIN3D_FORMAT',
      message: expect.stringContaining('step-00000004-epoch-0002 is damaged'),
    });
    rmSync(join(state, '..'), { recursive: true });
    expect((await train({ ...given, resume: true })).phases[0]).toMatchObject({ epochs: 2 });
  });

  test.each([
    ['no scans to validate', (entry: Loose) => ({ ...entry, split: 'train' }), "of split 'val', got none"],
    ['no scans to train on', (entry: Loose) => ({ ...entry, split: 'val' }), "of split 'train', got none"],
    [
      'a subject in two splits',
      (entry: Loose) => (entry.id === 'scan-8' ? { ...entry, subject: 'scan-0' } : entry),
      "expected each subject in one split, got 'scan-0' in train and val",
    ],
    [
      'one scan to validate, which grounding cannot tell apart from another',
      (entry: Loose) => (entry.id === 'scan-8' ? entry : { ...entry, split: 'train' }),
      "at least 2 scans of split 'val', got 1",
    ],
  ])('%s', async (_title, edit, message) => {
    const given = options({ phase: 'grounding', data: edited(edit), cache: join(bench.dir, 'edited') });
    cpSync(bench.fixture.cache as string, join(bench.dir, 'edited'), { recursive: true });
    expect(await failure(train(given))).toMatchObject({
      code: 'BRAIN3D_CONFIG',
      field: 'split',
      message: expect.stringContaining(message),
    });
    // Nothing has begun: the same folder serves the next try.
    expect(existsSync(join(given.out, 'grounding'))).toBe(false);
  });

  test('a cache of another size, and a damaged entry of it, by the name of its scan', async () => {
    const cache = join(bench.dir, 'spoiled');
    cpSync(bench.fixture.cache as string, cache, { recursive: true });
    const { volumes } = await readCacheIndex(cache);
    writeFileSync(volumes.get('scan-4') as string, 'spoiled');
    expect(await failure(train(options({ cache })))).toMatchObject({
      code: 'BRAIN3D_FORMAT',
      message: expect.stringContaining('scan-4: its entry in the cache is damaged'),
    });
    const index = join(cache, 'index.json');
    writeFileSync(index, readFileSync(index, 'utf8').replace(/"size": \[[^\]]*\]/, '"size": [64, 128, 128]'));
    expect(await failure(train(options({ cache })))).toMatchObject({ code: 'BRAIN3D_CONFIG', field: 'size' });
  });

  test('an adapter where none belongs', async () => {
    const { model } = await train(options({ phase: 'lora-sft', epochs: 1 }));
    expect(await failure(train(options({ phase: 'grounding', model })))).toMatchObject({
      code: 'BRAIN3D_CONFIG',
      file: 'adapter',
    });
    const further = await train(options({ phase: 'lora-sft', model, epochs: 1, warmupSteps: 0 }));
    expect(readFileSync(adapterOf(further.model)).equals(readFileSync(adapterOf(model)))).toBe(false);
  });

  test('reports that are longer than the language model', async () => {
    const data = edited((entry) =>
      entry.id === 'scan-2' ? { ...entry, report: `${'A lesion. '.repeat(800)}`.trim() } : entry,
    );
    const cache = join(bench.dir, 'long');
    cpSync(bench.fixture.cache as string, cache, { recursive: true });
    for (const phase of ['grounding', 'projector-warmup'] as const) {
      expect(await failure(train(options({ phase, data, cache })))).toMatchObject({
        code: 'BRAIN3D_CONFIG',
        message: expect.stringMatching(/^scan-2: expected at most 2048 tokens, got \d+/),
      });
    }
    const cut = { maxTextTokens: 16, maxReportTokens: 16, epochs: 1 };
    await train(options({ data, cache, ...cut }));
  });
});

describe('grounding without reports that differ', () => {
  const SAME = 'There is no lesion, and no abnormal signal is seen.';
  const own = (id: number): string => `Scan ${id} shows a lesion in one hemisphere.`;
  const withReports = async (
    reports: (id: number) => string,
    changes: Partial<TrainerOptions> = {},
  ): Promise<Loose> => {
    const data = edited((entry) => ({ ...entry, report: reports(Number(/\d+/.exec(entry.id)?.[0])) }));
    const cache = fresh();
    cpSync(bench.fixture.cache as string, cache, { recursive: true });
    const given = options({ phase: 'grounding', epochs: 1, data, cache, ...changes });
    const ended = await failure(train(given).then(() => Promise.reject({ code: 'trained' })));
    expect(existsSync(join(given.out, 'grounding'))).toBe(ended.code === 'trained');
    return ended;
  };
  const refused = { code: 'BRAIN3D_CONFIG', message: expect.stringContaining('at least 2 different reports') };

  // The fixture's scans 0 to 5 train, and 6 to 8 validate.
  test('in either split is refused before the first step', async () => {
    expect(await withReports(() => SAME)).toMatchObject({ ...refused, field: 'report' });
    expect(await withReports((id) => (id < 6 ? SAME : own(id)))).toMatchObject({
      message: expect.stringContaining("split 'train', got one for all 6"),
    });
    expect(await withReports((id) => (id < 6 ? own(id) : SAME))).toMatchObject({
      message: expect.stringContaining("split 'val', got one for all 3"),
    });
  });

  test('as far as they are embedded is refused as well', async () => {
    expect(await withReports((id) => `${SAME} Scan ${id}.`, { maxTextTokens: 3 })).toMatchObject(refused);
    expect(await withReports((id) => `${SAME} Scan ${id}.`)).toMatchObject({ code: 'trained' });
  });

  test('in some batch of an epoch is refused, with the batch that it needs', async () => {
    const one = (id: number): string => (id === 0 || id >= 6 ? own(id) : SAME);
    expect(await withReports(one, { batchSize: 2 })).toMatchObject({
      code: 'BRAIN3D_CONFIG',
      field: 'batch_size',
      message: expect.stringMatching(
        /5 of the 6 scans of split 'train'.*too few for 3 batches; raise batch_size \(2\)/,
      ),
    });
    expect(await withReports(one, { batchSize: 6 })).toMatchObject({ code: 'trained' });
  });

  test('exchanges scans between batches where that is enough: no step has loss 0', async () => {
    const out = fresh();
    const half = (id: number): string => (id % 2 === 0 ? SAME : own(id));
    expect(await withReports(half, { batchSize: 2, epochs: 6, out })).toMatchObject({ code: 'trained' });
    const steps = readLog(out, 'grounding').filter(({ event }) => event === 'step');
    expect(steps).toHaveLength(18);
    for (const { loss, grad_norm } of steps) expect(Math.min(loss, grad_norm)).toBeGreaterThan(0);
  });
});

describe('a fault in training', () => {
  test('names the scan whose volume is gone', async () => {
    const cache = join(bench.dir, 'gone');
    cpSync(bench.fixture.cache as string, cache, { recursive: true });
    const { volumes } = await readCacheIndex(cache);
    const run = train(options({ phase: 'grounding', cache }), (trainer) =>
      trainer.on('phase', () => rmSync(volumes.get('scan-3') as string)),
    );
    expect(await failure(run)).toMatchObject({
      code: 'BRAIN3D_NOT_FOUND',
      message: expect.stringMatching(/^scan-3: /),
    });
  });

  test('names step, tensor and scans where a number is not finite, and keeps the saved state', async () => {
    const given = options({
      phase: 'projector-warmup',
      batchSize: 2,
      warmupSteps: 1,
      maxGradNorm: 0,
      phases: { 'projector-warmup': { learningRates: { projector: 1e37, visScale: 1e37 } } },
      saveSteps: 1,
    });
    const error = await failure(train(given));
    expect(error).toMatchObject({
      code: 'BRAIN3D_DIVERGED',
      message: expect.stringMatching(
        /^projector-warmup: step \d gave a value that is not finite in \S+ \(scans: scan-\d.*is complete; lower the learning rates/,
      ),
    });
    const [newest] = readdirSync(join(given.out, 'projector-warmup/states')).slice(-1) as [string];
    expect(error.message).toContain(newest);
  });
});
