/** Training from end to end: the tiny backbones over mini-volumes, all three phases, and what ends a run. */
import { getEventListeners } from 'node:events';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  Brain3D,
  openCachedVolume,
  readCacheIndex,
  readManifest,
  TRAINING_PHASES,
  Trainer,
  type TrainerOptions,
} from 'brain3d';
import { epochOrder } from '../../dist/training/batches';
import { hashId } from '../../dist/training/log';
import type { Loose } from '../support/child';
import { brain3d } from '../support/cli';
import { comparable, readLog, type TrainingFixture, writeTrainingFixture } from '../support/training';

let dir: string;
let fixture: TrainingFixture;
let count = 0;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'brain3d-train-'));
  fixture = await writeTrainingFixture(join(dir, 'fixture'), { train: 6, val: 3 });
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const fresh = (): string => join(dir, `run-${count++}`);
/** Rates at which a few steps show. */
const RATES = {
  grounding: { learningRates: { patchEmbedding: 1e-3, depthPositions: 1e-3, projector: 3e-3 } },
  'projector-warmup': { learningRates: { projector: 3e-3, visScale: 1e-3 } },
  'lora-sft': { learningRates: { projector: 2e-3, lora: 3e-3 } },
};
const options = (changes: Partial<TrainerOptions> = {}): TrainerOptions => ({
  ...fixture,
  out: fresh(),
  epochs: 2,
  batchSize: 3,
  microBatch: 2,
  phases: RATES,
  ...changes,
});

async function train(given: TrainerOptions, watch: (trainer: Trainer) => void = () => undefined) {
  await using trainer = new Trainer(given);
  watch(trainer);
  return await trainer.run();
}

const failure = (work: Promise<unknown>): Promise<Loose> =>
  work.then(
    () => {
      throw new Error('the run did not fail');
    },
    (error) => error,
  );

/** Tensors of a safetensors file by name, as bytes. */
function tensorsOf(file: string): Map<string, string> {
  const bytes = readFileSync(file);
  const begin = 8 + Number(bytes.readBigUInt64LE(0));
  const { __metadata__: _, ...header } = JSON.parse(bytes.subarray(8, begin).toString('utf8'));
  return new Map(
    Object.entries(header as Record<string, Loose>).map(
      ([
        name,
        {
          data_offsets: [from, to],
        },
      ]) => [name, bytes.subarray(begin + from, begin + to).toString('base64')],
    ),
  );
}

const weightsOf = (model: string): string => join(model, 'brain3d.safetensors');
const adapterOf = (model: string): string => join(model, 'adapter/adapter_model.safetensors');

/** Names of the tensors that two files do not have in common, bit for bit. */
function changed(before: string, after: string): string[] {
  const [a, b] = [tensorsOf(weightsOf(before)), tensorsOf(weightsOf(after))];
  expect([...b.keys()].sort()).toEqual([...a.keys()].sort());
  return [...a.keys()].filter((name) => a.get(name) !== b.get(name)).sort();
}

const PROJECTOR = ['projector.fc1.bias', 'projector.fc1.weight', 'projector.fc2.bias', 'projector.fc2.weight'];
const VISION = [
  'vision.depth_position_embedding.weight',
  'vision.patch_embedding_3d.bias',
  'vision.patch_embedding_3d.weight',
];

describe('all phases', () => {
  let run: TrainerOptions;
  let result: Awaited<ReturnType<typeof train>>;
  const events: string[] = [];
  const best = (phase: string): string => join(run.out, phase, 'best');
  beforeAll(async () => {
    run = options({ epochs: 6, warmupSteps: 0 });
    result = await train(run, (trainer) => {
      for (const name of ['phase', 'epoch', 'step', 'validation', 'checkpoint', 'done'] as const)
        trainer.on(name, (event: Loose) => events.push(`${event.phase} ${name}`));
    });
  });

  test('give what came of each, and its best model', () => {
    expect(result.phases.map(({ phase, reason, epochs, steps }) => [phase, reason, epochs, steps])).toEqual(
      TRAINING_PHASES.map((phase) => [phase, 'epochs', 6, 12]),
    );
    expect(result.model).toBe(best('lora-sft'));
  });

  test.each(TRAINING_PHASES)('the loss of %s falls, in training and in validation', (phase) => {
    const lines = readLog(run.out, phase);
    const mean = (event: string, epoch: number): number => {
      const losses = lines.filter((line) => line.event === event && line.epoch === epoch).map(({ loss }) => loss);
      return losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
    };
    for (const event of ['step', 'validation']) expect(mean(event, 6)).toBeLessThan(0.98 * mean(event, 1));
  });

  test('tell every step', () => {
    const epoch = ['epoch', 'step', 'step', 'checkpoint', 'validation'];
    const expected = TRAINING_PHASES.flatMap((phase) =>
      ['phase', ...Array.from({ length: 6 }, () => epoch).flat(), 'done'].map((name) => `${phase} ${name}`),
    );
    expect(events).toEqual(expected);
  });

  test('change what they train and nothing else', () => {
    expect(changed(fixture.model, best('grounding'))).toEqual([...PROJECTOR, ...VISION]);
    expect(changed(best('grounding'), best('projector-warmup'))).toEqual([...PROJECTOR, 'vis_scale']);
    expect(changed(best('projector-warmup'), best('lora-sft'))).toEqual(PROJECTOR);
    expect(existsSync(join(best('projector-warmup'), 'adapter'))).toBe(false);
    const adapter = [...tensorsOf(adapterOf(best('lora-sft'))).entries()];
    expect(adapter).toHaveLength(2 * 4 * 6);
    // B begins as zeros: what is still zero got no gradient.
    for (const [, bytes] of adapter) expect(Buffer.from(bytes, 'base64').some((byte) => byte !== 0)).toBe(true);
  });

  test('write models that say where they come from', () => {
    const read = (phase: string): Loose => JSON.parse(readFileSync(join(best(phase), 'brain3d.json'), 'utf8'));
    expect(TRAINING_PHASES.map((phase) => read(phase).phase)).toEqual([...TRAINING_PHASES]);
    const { best: last } = result.phases.at(-1) as Loose;
    expect(read('lora-sft').provenance).toMatchObject({
      command: 'train',
      'grounding.source_phase': 'initialised',
      'projector-warmup.source_phase': 'grounding',
      'lora-sft.source_phase': 'projector-warmup',
      'lora-sft.seed': 0,
      'lora-sft.steps': last.step,
      'lora-sft.epochs': last.epoch,
      'lora-sft.val_loss': last.loss,
      'lora-sft.manifest_sha256': expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    const adapter: Loose = JSON.parse(readFileSync(join(best('lora-sft'), 'adapter/adapter_config.json'), 'utf8'));
    expect(adapter).toMatchObject({
      peft_type: 'LORA',
      r: 16,
      lora_alpha: 32,
      lora_dropout: 0.05,
      target_modules: ['k_proj', 'o_proj', 'q_proj', 'v_proj'],
      base_model_name_or_path: 'language',
    });
  });

  // The trainer's loss and inference's score are two ways to one number. Merging the adapter rounds once.
  test.each(['projector-warmup', 'lora-sft'])(
    '%s: inference finds the best model as good as validation did',
    async (phase) => {
      const { entries } = await readManifest(fixture.data);
      const { volumes } = await readCacheIndex(fixture.cache as string);
      await using model = await Brain3D.load({ model: best(phase) });
      let [sum, tokens] = [0, 0];
      for (const { id, report } of entries.filter(({ split }) => split === 'val')) {
        const { tokenNlls } = await model.score(await openCachedVolume(volumes.get(id) as string), report);
        sum += tokenNlls.reduce((a, b) => a + b, 0);
        tokens += tokenNlls.length;
      }
      const trained = result.phases.find((done) => done.phase === phase);
      expect(sum / tokens).toBeCloseTo(trained?.best.loss as number, 4);
    },
  );

  test('log each step, without saying whose scan it was', async () => {
    const lines = TRAINING_PHASES.flatMap((phase) => readLog(run.out, phase));
    const keys = [
      'event',
      'phase',
      'epoch',
      'step',
      'loss',
      'lr',
      'grad_norm',
      'vis_scale',
      'tokens_per_s',
      'ms',
      'peak_bytes',
      'samples',
    ];
    expect(Object.keys(lines[0])).toEqual(keys);
    const text = TRAINING_PHASES.map((phase) => readFileSync(join(run.out, phase, 'log.jsonl'), 'utf8')).join('');
    expect(text).not.toMatch(/scan-\d|lesion|brain|\/|\\/);
    for (const { event, loss, grad_norm, tokens_per_s, peak_bytes } of lines) {
      expect(loss).toBeGreaterThan(0);
      if (event === 'step') expect(Math.min(grad_norm, tokens_per_s, peak_bytes)).toBeGreaterThan(0);
    }
    const { salt } = JSON.parse(readFileSync(join(run.out, 'lora-sft/run.json'), 'utf8'));
    const [first] = readLog(run.out, 'lora-sft');
    const order = epochOrder(6, 0, 0).slice(0, 3);
    expect(first.samples).toEqual(order.map((place) => hashId(salt, `scan-${place}`)));
  });

  test('end with curves and a page that needs nothing from elsewhere', () => {
    for (const phase of TRAINING_PHASES) {
      expect(readFileSync(join(run.out, phase, 'curves.svg'), 'utf8')).toMatch(
        /^<svg [\s\S]*validation[\s\S]*<\/svg>\n$/,
      );
      const page = readFileSync(join(run.out, phase, 'report.html'), 'utf8');
      expect(page).toContain('Research use only.');
      expect(page.replaceAll('http://www.w3.org/2000/svg', '')).not.toMatch(/https?:|<script|<link|src=/);
    }
  });

  test('keep two checkpoints and the models these call best, for their owner only', () => {
    for (const phase of TRAINING_PHASES) {
      expect(readdirSync(join(run.out, phase, 'checkpoints'))).toEqual([
        'step-00000010-epoch-0005',
        'step-00000012-epoch-0006',
      ]);
      const models = readdirSync(join(run.out, phase)).filter((name) => name.startsWith('best-'));
      expect(models.length).toBeLessThanOrEqual(2);
      for (const file of readdirSync(join(run.out, phase), { recursive: true, withFileTypes: true })) {
        if (file.isFile()) expect(statSync(join(file.parentPath, file.name)).mode & 0o777).toBe(0o600);
      }
    }
  });

  test('have nothing to do when resumed, and say the same', async () => {
    const again: string[] = [];
    const watch = (trainer: Trainer): void => void trainer.on('step', () => again.push('step'));
    expect(await train({ ...run, resume: true }, watch)).toEqual(result);
    expect(again).toEqual([]);
  });

  test('read the features of scans once computed, and compute a damaged one again', async () => {
    const features = join(fixture.cache as string, 'features');
    const state = (): Map<string, string> =>
      new Map(readdirSync(features).map((name) => [name, `${statSync(join(features, name)).mtimeMs}`]));
    const before = state();
    const [file] = [...before.keys()].filter((name) => name.endsWith('.safetensors')) as [string];
    const bytes = readFileSync(join(features, file));
    const spoiled = Buffer.from(bytes);
    spoiled.writeUInt8(spoiled.readUInt8(spoiled.length - 2) ^ 1, spoiled.length - 2);
    writeFileSync(join(features, file), spoiled);
    const out = fresh();
    await train({ ...run, out, phase: 'projector-warmup', model: best('grounding') });
    expect(readFileSync(join(features, file)).equals(bytes)).toBe(true);
    const touched = [...state()].filter(([name, time]) => before.get(name) !== time).map(([name]) => name);
    expect(touched.sort()).toEqual([file, file.replace('.safetensors', '.json')].sort());
    // Computed or read, and whatever the features' folder held before: the same run.
    expect(comparable(readLog(out, 'projector-warmup'))).toEqual(comparable(readLog(run.out, 'projector-warmup')));
  });
});

describe('a run that is interrupted', () => {
  const interrupted = { epochs: 2, batchSize: 2, warmupSteps: 1 } as const;

  test.each(TRAINING_PHASES)('%s: goes on after an abort as if nothing had happened', async (phase) => {
    const whole = options({ ...interrupted, phase });
    const { model } = await train(whole);
    const parts = { ...whole, out: fresh() };
    // In the middle of a step, right after one, and in the validation.
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

  test('stands still while it is paused, with a checkpoint, and then goes on', async () => {
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
    expect(readdirSync(join(given.out, 'projector-warmup/checkpoints'))).toEqual(['step-00000002']);
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
    cpSync(fixture.model, join(other.out, 'model'), { recursive: true });
    expect(await failure(train(other))).toMatchObject({
      code: 'BRAIN3D_USAGE',
      message: expect.stringContaining("'model'"),
    });
    rmSync(join(given.out, 'projector-warmup/run.json'));
    expect(await failure(train({ ...given, resume: true }))).toMatchObject({ code: 'BRAIN3D_USAGE', file: 'run.json' });
  });

  test('to resume with what decides the result changed, or from a damaged checkpoint', async () => {
    const given = options({ phase: 'projector-warmup' });
    await train(given);
    const resumed = (changes: Partial<TrainerOptions>) => failure(train({ ...given, resume: true, ...changes }));
    expect(await resumed({ seed: 1 })).toMatchObject({
      code: 'BRAIN3D_CONFIG',
      field: 'settings.seed',
      message: expect.stringMatching(/^the run began with settings.seed 0, got 1;/),
    });
    expect(await resumed({ dtype: 'bfloat16' })).toMatchObject({ code: 'BRAIN3D_CONFIG', field: 'dtype' });
    const state = join(given.out, 'projector-warmup/checkpoints/step-00000004-epoch-0002/state.safetensors');
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

  const edited = (edit: (entry: Loose) => Loose): string => {
    const path = join(dir, `manifest-${count++}.jsonl`);
    const lines = readFileSync(fixture.data, 'utf8').trim().split('\n');
    writeFileSync(path, `${lines.map((line) => JSON.stringify(edit(JSON.parse(line)))).join('\n')}\n`);
    return path;
  };

  test.each([
    ['no scans to validate', (entry: Loose) => ({ ...entry, split: 'train' }), "of split 'val', got none"],
    ['no scans to train on', (entry: Loose) => ({ ...entry, split: 'val' }), "of split 'train', got none"],
    [
      'one scan to validate, which grounding cannot tell apart from another',
      (entry: Loose) => (entry.id === 'scan-8' ? entry : { ...entry, split: 'train' }),
      "at least 2 scans of split 'val', got 1",
    ],
  ])('%s', async (_title, edit, message) => {
    const given = options({ phase: 'grounding', data: edited(edit), cache: join(dir, 'edited') });
    cpSync(fixture.cache as string, join(dir, 'edited'), { recursive: true });
    expect(await failure(train(given))).toMatchObject({
      code: 'BRAIN3D_CONFIG',
      field: 'split',
      message: expect.stringContaining(message),
    });
    // Nothing has begun: the same folder serves the next try.
    expect(existsSync(join(given.out, 'grounding'))).toBe(false);
  });

  test('a cache of another size, and a damaged entry of it, by the name of its scan', async () => {
    const cache = join(dir, 'spoiled');
    cpSync(fixture.cache as string, cache, { recursive: true });
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
    const cache = join(dir, 'long');
    cpSync(fixture.cache as string, cache, { recursive: true });
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

describe('a fault in training', () => {
  test('names the scan whose volume is gone', async () => {
    const cache = join(dir, 'gone');
    cpSync(fixture.cache as string, cache, { recursive: true });
    const { volumes } = await readCacheIndex(cache);
    const run = train(options({ phase: 'grounding', cache }), (trainer) =>
      trainer.on('phase', () => rmSync(volumes.get('scan-3') as string)),
    );
    expect(await failure(run)).toMatchObject({
      code: 'BRAIN3D_NOT_FOUND',
      message: expect.stringMatching(/^scan-3: /),
    });
  });

  test('names step, tensor and scans where a number is not finite, and keeps the checkpoint', async () => {
    const given = options({
      phase: 'projector-warmup',
      batchSize: 2,
      warmupSteps: 1,
      maxGradNorm: 0,
      phases: { 'projector-warmup': { learningRates: { projector: 1e37, visScale: 1e37 } } },
      checkpointSteps: 1,
    });
    const error = await failure(train(given));
    expect(error).toMatchObject({
      code: 'BRAIN3D_DIVERGED',
      message: expect.stringMatching(
        /^projector-warmup: step \d gave a value that is not finite in \S+ \(scans: scan-\d.*--resume goes on/,
      ),
    });
    const [newest] = readdirSync(join(given.out, 'projector-warmup/checkpoints')).slice(-1) as [string];
    expect(error.message).toContain(newest);
  });
});

describe('brain3d train', () => {
  const args = (out: string): string[] => [
    'train',
    ...['--model', fixture.model, '--data', fixture.data, '--cache', fixture.cache as string, '--out', out],
    ...['--epochs', '1', '--batch-size', '3', '--micro-batch', '2', '--seed', '5'],
  ];

  test('trains, and reports with what came of it', async () => {
    const out = fresh();
    const { status, stdout, stderr } = await brain3d([...args(out), '--phase', '2a', '--json']);
    expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' });
    const json = JSON.parse(stdout);
    expect(json).toMatchObject({
      phases: [{ phase: 'projector-warmup', epochs: 1, steps: 2 }],
      research_use_only: true,
    });
    expect(stderr).toMatch(/projector-warmup: epoch 1, validation loss \d\.\d{4} \(best so far\)\n/);
    const volume = join(dir, 'fixture', 'scan-0.nii');
    const reported = await brain3d([
      'report',
      volume,
      '--model',
      json.model,
      '--skull-strip',
      'none',
      '--max-new-tokens',
      '5',
    ]);
    expect(reported).toMatchObject({ status: 0, stdout: expect.stringContaining('Research use only') });
  });

  test('refuses a configuration by the key that is wrong, and a second run by the option that it needs', async () => {
    const out = fresh();
    const config = join(dir, 'wrong.json');
    writeFileSync(config, '{ "bach_size": 4 }');
    expect(await brain3d([...args(out), '--phase', '1', '--config', config])).toMatchObject({
      status: 1,
      stderr: "brain3d: wrong.json: unknown key 'bach_size'; did you mean 'batch_size'? [BRAIN3D_CONFIG]\n",
    });
    expect(await brain3d([...args(out), '--phase', '3'])).toMatchObject({ status: 2 });
    expect(await brain3d([...args(out), '--phase', '1', '--batch-size', '1'])).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('at least 2 scans, got 1'),
    });
    expect(existsSync(out)).toBe(false);
  });
});
