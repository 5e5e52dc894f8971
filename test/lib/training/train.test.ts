/** Training from end to end: the tiny backbones over mini-volumes, all three phases, and the command. */
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  Brain3D,
  initCheckpoint,
  openCachedVolume,
  preprocessDataset,
  readCacheIndex,
  readCheckpoint,
  readManifest,
  TRAINING_PHASES,
  type Trainer,
  type TrainerOptions,
} from 'brain3d';
import { epochOrder } from '../../../dist/training/batches';
import { hashId } from '../../../dist/training/log';
import type { Loose } from '../../support/child';
import { brain3d } from '../../support/cli';
import { adapterOf, comparable, readLog, train, trainingWorkbench, weightsOf } from '../../support/training';

type Size = [number, number, number];

const bench = trainingWorkbench();
const { fresh, options } = bench;

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

/** Names of the tensors that two files do not have in common, bit for bit. */
function changed(before: string, after: string): string[] {
  const [a, b] = [tensorsOf(weightsOf(before)), tensorsOf(weightsOf(after))];
  expect([...b.keys()].sort()).toEqual([...a.keys()].sort());
  return [...a.keys()].filter((name) => a.get(name) !== b.get(name)).sort();
}

test('the slice-wise baseline trains through the phases, without depth positions', async () => {
  const { vision, language } = await readCheckpoint(bench.fixture.model);
  const model = `${fresh()}-slices`;
  const geometry = { depthKernel: 2, depthStride: 2, depthPadding: 0, volumeSize: [16, 84, 84] as Size };
  await initCheckpoint({ recipe: 'slices', vision: vision.dir, language: language.dir, out: model, ...geometry });
  const cache = `${fresh()}-cache`;
  await preprocessDataset({ manifest: bench.fixture.data, out: cache, size: [16, 84, 84], skullStrip: 'none' });
  const run = options({ model, cache, epochs: 1, warmupSteps: 0 });
  const { phases } = await train(run);
  expect(phases.map(({ phase }) => phase)).toEqual([...TRAINING_PHASES]);
  const grounded = join(run.out, 'grounding', 'best');
  expect(changed(model, grounded)).toEqual(expect.arrayContaining(['vision.patch_embedding_3d.weight', ...PROJECTOR]));
  expect([...tensorsOf(weightsOf(grounded)).keys()]).not.toContain('vision.depth_position_embedding.weight');
  expect((await readCheckpoint(grounded)).recipe).toMatchObject({ name: 'slices', attention: 'slice' });
});

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
      for (const name of ['phase', 'epoch', 'step', 'validation', 'state', 'done'] as const)
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
    const epoch = ['epoch', 'step', 'step', 'state', 'validation'];
    const expected = TRAINING_PHASES.flatMap((phase) =>
      ['phase', ...Array.from({ length: 6 }, () => epoch).flat(), 'done'].map((name) => `${phase} ${name}`),
    );
    expect(events).toEqual(expected);
  });

  test('change what they train and nothing else', () => {
    expect(changed(bench.fixture.model, best('grounding'))).toEqual([...PROJECTOR, ...VISION]);
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
      const { entries } = await readManifest(bench.fixture.data);
      const { volumes } = await readCacheIndex(bench.fixture.cache as string);
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

  test('keep two saved states and the models these call best, for their owner only', () => {
    for (const phase of TRAINING_PHASES) {
      expect(readdirSync(join(run.out, phase, 'states'))).toEqual([
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
    const features = join(bench.fixture.cache as string, 'features');
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

describe('brain3d train', () => {
  const args = (out: string): string[] => [
    'train',
    ...[
      '--model',
      bench.fixture.model,
      '--data',
      bench.fixture.data,
      '--cache',
      bench.fixture.cache as string,
      '--out',
      out,
    ],
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
    const volume = join(bench.dir, 'fixture', 'scan-0.nii');
    const reported = await brain3d([
      'report',
      volume,
      '--model',
      json.model,
      '--skull-strip',
      'none',
      '--allow-geometry',
      '--max-new-tokens',
      '5',
    ]);
    expect(reported).toMatchObject({ status: 0, stdout: expect.stringContaining('Research use only') });
  });

  test('refuses a configuration by the key that is wrong, and a second run by the option that it needs', async () => {
    const out = fresh();
    const config = join(bench.dir, 'wrong.json');
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
