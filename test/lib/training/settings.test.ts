/** The parts of training that compute nothing: settings, schedule, order, early stopping, curves. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TRAINING_PHASES, Trainer } from 'brain3d';
import * as fc from 'fast-check';
import { epochOrder, microBatches, mixKinds, stepSeed, windowsOf } from '../../../dist/training/batches';
import { readConfigFile } from '../../../dist/training/config-file';
import { drawCurves, panelsOf } from '../../../dist/training/curves';
import { judge, type Stopping } from '../../../dist/training/early-stopping';
import { TrainingLog } from '../../../dist/training/log';
import { PHASE_DEFINITIONS } from '../../../dist/training/phases';
import { requireSameRun } from '../../../dist/training/run-record';
import { countWarmupSteps, learningRateFactor } from '../../../dist/training/schedule';
import { ownSettings, resolveSettings } from '../../../dist/training/settings';
import type { Loose } from '../../support/child';
import { ROOT } from '../../support/cli';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'brain3d-settings-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe('the schedule', () => {
  // These numbers come from PyTorch's LambdaLR with the same formula and share no code with ours.
  test('warms up linearly and falls as a cosine', () => {
    const factors = Array.from({ length: 11 }, (_, step) => learningRateFactor(step, 3, 10));
    const expected = [0, 0.333333, 0.666667, 1, 0.950484, 0.811745, 0.61126, 0.38874, 0.188255, 0.049516, 0];
    factors.forEach((factor, step) => {
      expect(factor).toBeCloseTo(expected[step] as number, 6);
    });
  });

  test('may have no warm-up, or one step only', () => {
    expect(learningRateFactor(0, 0, 5)).toBe(1);
    expect(learningRateFactor(0, 0, 1)).toBe(1);
    expect(learningRateFactor(0, 1, 1)).toBe(0);
  });

  test('takes a number of warm-up steps before a share of all', () => {
    expect(countWarmupSteps({ warmupSteps: null, warmupRatio: 0.05 }, 101)).toBe(6);
    expect(countWarmupSteps({ warmupSteps: 0, warmupRatio: 0.05 }, 101)).toBe(0);
  });
});

describe('the order', () => {
  test('is a permutation that seed and epoch decide', () => {
    const order = epochOrder(50, 7, 3);
    expect([...order].sort((a, b) => a - b)).toEqual([...order.keys()]);
    expect(epochOrder(50, 7, 3)).toEqual(order);
    expect(epochOrder(50, 7, 4)).not.toEqual(order);
    expect(epochOrder(50, 8, 3)).not.toEqual(order);
  });

  test('is cut so that every scan is used once and none is left alone where two are needed', () => {
    expect(windowsOf([0, 1, 2, 3, 4], 2)).toEqual([[0, 1], [2, 3], [4]]);
    expect(windowsOf([0, 1, 2, 3, 4], 2, 2)).toEqual([
      [0, 1],
      [2, 3, 4],
    ]);
    expect(windowsOf([0, 1, 2], 128, 2)).toEqual([[0, 1, 2]]);
    expect(windowsOf([0], 128, 2)).toEqual([[0]]);
  });

  // Over random items: each window has two kinds wherever that is possible, nothing is lost, and what is mixed already
  // stays as it is.
  test('is exchanged where a window would hold one kind alone, and only there', async () => {
    await fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 2, maxLength: 24 }),
        fc.integer({ min: 2, max: 7 }),
        (kinds, size) => {
          const windows = windowsOf([...kinds.keys()], size, 2);
          const kindOf = (index: number): number => kinds[index] as number;
          const isMixed = (window: number[]): boolean => new Set(window.map(kindOf)).size >= 2;
          const mixed = mixKinds(windows, kindOf);
          const most = Math.max(...kinds.map((kind) => kinds.filter((other) => other === kind).length));
          expect(mixed !== null).toBe(kinds.length - most >= windows.length);
          if (mixed === null) return;
          expect(mixed.every(isMixed)).toBe(true);
          expect(mixed.map(({ length }) => length)).toEqual(windows.map(({ length }) => length));
          expect(mixed.flat().sort((a, b) => a - b)).toEqual([...kinds.keys()]);
          if (windows.every(isMixed)) expect(mixed).toEqual(windows);
        },
      ),
      { numRuns: 500 },
    );
    expect(mixKinds([[0, 0]], (kind) => kind)).toBeNull();
  });

  test('puts samples of similar length together', () => {
    expect(microBatches([5, 9, 5, 30, 8], 2)).toEqual([[3, 1], [4, 0], [2]]);
  });

  test('gives each step of each phase its own seed', () => {
    const seeds = [
      stepSeed(1, 'lora-sft', 0),
      stepSeed(1, 'lora-sft', 1),
      stepSeed(1, 'grounding', 0),
      stepSeed(2, 'lora-sft', 0),
    ];
    expect(new Set(seeds).size).toBe(4);
    for (const seed of seeds) expect(Number.isSafeInteger(seed) && seed >= 0).toBe(true);
  });
});

test('an epoch is better only by more than minDelta, and waiting starts anew', () => {
  let state: Stopping = { best: null, epochsWithoutImprovement: 0 };
  const course = [3, 2.95, 2.8, 2.9, 2.7].map((loss, index) => {
    const { improved, ...judged } = judge(state, { loss, epoch: index + 1, step: index }, 0.1);
    state = judged;
    return [improved, judged.best?.loss, judged.epochsWithoutImprovement];
  });
  expect(course).toEqual([
    [true, 3, 0],
    [false, 3, 1],
    [true, 2.8, 0],
    [false, 2.8, 1],
    [false, 2.8, 2],
  ]);
});

describe('settings', () => {
  const config = (json: object): string => {
    const path = join(dir, 'config.json');
    writeFileSync(path, JSON.stringify(json));
    return path;
  };

  test.each(TRAINING_PHASES)('configs/paper.json says the defaults of %s', async (phase) => {
    const paper = await readConfigFile(join(ROOT, 'configs/paper.json'));
    expect(resolveSettings(phase, [paper])).toEqual(PHASE_DEFINITIONS[phase].defaults);
  });

  test('are laid over each other: file before options, shared before the phase, undefined is nothing', async () => {
    const file = await readConfigFile(
      config({
        epochs: 5,
        batch_size: 16,
        max_report_tokens: 9,
        lora: { rank: 4 },
        phases: { 'lora-sft': { epochs: 7, lora: { alpha: 8 }, learning_rates: { lora: 1e-3 } } },
      }),
    );
    const settings = resolveSettings('lora-sft', [file, { batchSize: 4, epochs: undefined }]);
    expect(settings).toMatchObject({ epochs: 7, batchSize: 4, maxReportTokens: 9, learningRates: { lora: 1e-3 } });
    expect(settings.lora).toMatchObject({ rank: 4, alpha: 8, dropout: 0.05 });
    expect(Object.keys(settings.learningRates)).toEqual(['lora']);
    expect(resolveSettings('grounding', [file]).epochs).toBe(5);
    expect(resolveSettings('lora-sft', [file, { epochs: 2 }]).epochs).toBe(2);
  });

  test('of a phase are only those that it has', () => {
    const own = ownSettings('grounding', PHASE_DEFINITIONS.grounding.defaults);
    expect(own).toHaveProperty('temperature');
    expect(own).not.toHaveProperty('lossMean');
    expect(own).not.toHaveProperty('lora');
  });

  test.each([
    [{ batchsize: 3 }, "unknown key 'batchsize'; did you mean 'batch_size'?"],
    [{ batchSize: 3 }, "unknown key 'batchSize'; did you mean 'batch_size'?"],
    [{ phases: { grounding: { loss_mean: 'tokens' } } }, "unknown key 'phases.grounding.loss_mean'"],
    [{ phases: { grounding: { learning_rates: { lora: 1 } } } }, "unknown key 'phases.grounding.learning_rates.lora'"],
    [{ phases: { 'lora-stf': {} } }, "unknown key 'phases.lora-stf'; did you mean 'lora-sft'?"],
    [{ lora: { rnak: 3 } }, "unknown key 'lora.rnak'; did you mean 'rank'?"],
    [{ learning_rates: { projector: 1 } }, "unknown key 'learning_rates'"],
    [{ epochs: 0 }, "expected an integer from 1 to 1000000 for 'epochs', got 0"],
    [{ weight_decay: -1 }, "for 'weight_decay', got -1"],
    [
      { phases: { 'lora-sft': { learning_rates: { lora: 0 } } } },
      "expected a number > 0 for 'phases.lora-sft.learning_rates.lora'",
    ],
    [{ lora: { target_modules: ['.*'] } }, 'expected names such as q_proj'],
    // Float32 arithmetic cannot use some of these, and others would train nothing without a word.
    [{ temperature: 1e-39 }, "expected a number from 0.0001 to 10000 for 'temperature'"],
    [{ temperature: 1e39 }, "expected a number from 0.0001 to 10000 for 'temperature'"],
    [{ lora: { alpha: 1e39 } }, "for 'lora.alpha', got 1e+39"],
    [{ adam_epsilon: 1e-50 }, "for 'adam_epsilon', got 1e-50"],
    [{ adam_beta1: 1 }, "expected a number from 0 to 0.9999999 for 'adam_beta1'"],
    [{ phases: { grounding: { learning_rates: { projector: 1e39 } } } }, 'learning_rates.projector'],
    [[], 'expected a JSON object'],
  ])('in a file are refused: %j', async (json, message) => {
    await expect(readConfigFile(config(json))).rejects.toMatchObject({
      code: 'BRAIN3D_CONFIG',
      file: 'config.json',
      message: expect.stringContaining(message),
    });
  });

  test('need a file that is there, and JSON', async () => {
    await expect(readConfigFile(join(dir, 'none.json'))).rejects.toMatchObject({ code: 'BRAIN3D_NOT_FOUND' });
    writeFileSync(join(dir, 'text.json'), 'epochs: 3');
    await expect(readConfigFile(join(dir, 'text.json'))).rejects.toMatchObject({
      code: 'BRAIN3D_CONFIG',
      message: expect.stringContaining('expected JSON'),
    });
  });

  test.each([
    ['grounding', { batchSize: 1 }, 'a batch of at least 2 scans, got 1'],
    ['grounding', { phases: { grounding: { learningRates: {} } } }, 'expected a learning rate for one of'],
    ['lora-sft', { phases: { 'lora-sft': { learningRates: { projector: 1 } } } }, 'expected a learning rate for lora'],
  ] as const)('of %s that cannot be right are refused: %j', (phase, layer, message) => {
    expect(() => resolveSettings(phase, [layer as Loose])).toThrow(message);
    expect(() => resolveSettings(phase, [layer as Loose])).toThrow(expect.objectContaining({ code: 'BRAIN3D_USAGE' }));
  });

  const paths = { model: 'm', data: 'd', out: 'o' };
  test.each([
    [{ ...paths, epoch: 3 }, "Trainer: unknown option 'epoch'; did you mean 'epochs'?", TypeError],
    [
      { ...paths, phases: { grounding: { temprature: 1 } } },
      "unknown option 'phases.grounding.temprature'; did you mean 'temperature'?",
      TypeError,
    ],
    [
      { ...paths, phase: '2a' },
      'Trainer: expected grounding or projector-warmup or lora-sft or all for phase',
      TypeError,
    ],
    [{ model: 'm', data: 'd' }, 'for out', TypeError],
    [{ ...paths, microBatch: 0 }, 'expected an integer from 1 to 1000000 for microBatch, got 0', RangeError],
  ])('of a trainer are refused at once: %j', (options, message, kind) => {
    expect(() => new Trainer(options as Loose)).toThrow(kind);
    expect(() => new Trainer(options as Loose)).toThrow(message);
  });
});

test('a resumed run may change memory, but nothing that decides its result', () => {
  const facts: Loose = {
    phase: 'grounding',
    versions: { brain3d: '1', torch: '2' },
    settings: { seed: 0, epochs: 3, micro_batch: 4, learning_rates: { projector: 1e-3 } },
    device: 'cpu',
    dtype: 'float32',
    manifest_sha256: 'a'.repeat(64),
    model: { weights_sha256: 'b'.repeat(64) },
  };
  const record: Loose = { format: 'brain3d-training-run', format_version: 1, ...facts, salt: '0'.repeat(32) };
  const now = (changes: object): Loose => ({ ...facts, ...changes });
  requireSameRun(record, now({ versions: { brain3d: '9', torch: '9' } }));
  requireSameRun(record, now({ settings: { ...facts.settings, micro_batch: 1 } }));
  const refused = (changes: object, field: string): void =>
    expect(() => requireSameRun(record, now(changes))).toThrow(
      expect.objectContaining({ code: 'BRAIN3D_CONFIG', field }),
    );
  refused({ settings: { ...facts.settings, epochs: 4 } }, 'settings.epochs');
  refused(
    { settings: { ...facts.settings, learning_rates: { projector: 1e-3, patch_embedding: 1 } } },
    'settings.learning_rates.patch_embedding',
  );
  refused({ device: 'cuda' }, 'device');
  refused({ manifest_sha256: 'c'.repeat(64) }, 'manifest_sha256');
});

test('the log is cut back to what a saved state knows of, and must have that', async () => {
  const path = join(dir, 'log.jsonl');
  const line = (step: number): Loose => ({ event: 'validation', step });
  const first = await TrainingLog.open(path, 0);
  await first.append(line(1));
  const bytes = await first.sync();
  await first.append(line(22222));
  await first.close();
  const again = await TrainingLog.open(path, bytes);
  await again.append(line(2));
  await again.close();
  expect(readFileSync(path, 'utf8')).toBe(`${JSON.stringify(line(1))}\n${JSON.stringify(line(2))}\n`);
  await expect(TrainingLog.open(path, 10_000)).rejects.toMatchObject({ code: 'BRAIN3D_FORMAT', file: 'log.jsonl' });
});

describe('curves', () => {
  const step = (at: number, grad: number): Loose => ({
    event: 'step',
    step: at,
    loss: 1 / at,
    lr: { projector: 1e-4 },
    grad_norm: grad,
    vis_scale: 1,
  });

  test('keep a spike, and are drawn for one point, a constant and nothing', () => {
    const lines = Array.from({ length: 5000 }, (_, index) => step(index + 1, index === 3333 ? 1e6 : 1));
    const svg = drawCurves('a <b> & "c"', panelsOf(lines));
    expect(svg).toContain('a &lt;b&gt; &amp; &quot;c&quot;');
    expect(svg).not.toMatch(/NaN|Infinity/);
    expect(svg.length).toBeLessThan(60_000);
    const points = /norm of the gradient[\s\S]*?<polyline[^>]*points="([^"]*)"/.exec(svg)?.[1] ?? '';
    const heights = points.split(' ').map((point) => Number(point.split(',')[1]));
    expect(Math.max(...heights) - Math.min(...heights)).toBeGreaterThan(150);
    for (const few of [[], [step(1, 0)], [step(1, 1), step(2, 1)]])
      expect(drawCurves('few', panelsOf(few))).not.toMatch(/NaN|Infinity/);
  });
});
