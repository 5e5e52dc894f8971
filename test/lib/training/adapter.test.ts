/** Tests of what an adapter's configuration and dropout promise across runs: other micro-batches, and training on. */
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Brain3D, openCachedVolume, readCacheIndex, readManifest } from 'brain3d';
import type { Loose } from '../../support/child';
import { adapterOf, failure, readLog, train, trainingWorkbench, weightsOf } from '../../support/training';

const bench = trainingWorkbench();
const { fresh, options } = bench;
const configOf = (model: string): string => join(model, 'adapter/adapter_config.json');
const readConfig = (model: string): Loose => JSON.parse(readFileSync(configOf(model), 'utf8'));

/** Every float32 of a safetensors file. */
function numbersOf(file: string): Float32Array {
  const bytes = readFileSync(file);
  const begin = 8 + Number(bytes.readBigUInt64LE(0));
  return new Float32Array(new Uint8Array(bytes.subarray(begin)).buffer);
}

/** The largest difference over the largest number. */
function difference(a: Float32Array, b: Float32Array): number {
  const largest = a.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return a.reduce((most, value, at) => Math.max(most, Math.abs(value - (b[at] as number))), 0) / largest;
}

// Masks are by sample, so only the order of sums differs: 1e-5 relative on this model. Masks by micro-batch would move
// the losses by 1e-2.
describe('with dropout', () => {
  const settings = { phase: 'lora-sft', epochs: 2, batchSize: 3, warmupSteps: 0, lora: { dropout: 0.5 } } as const;
  const losses = (out: string): number[] => readLog(out, 'lora-sft').map(({ loss }) => loss);

  test.each([1, 2])('micro_batch %d trains what micro_batch 3 does', async (microBatch) => {
    const whole = options({ ...settings, microBatch: 3 });
    const parts = options({ ...settings, microBatch });
    const [one, other] = [await train(whole), await train(parts)];
    losses(whole.out).forEach((loss, at) => {
      expect(losses(parts.out)[at]).toBeCloseTo(loss, 4);
    });
    for (const file of [weightsOf, adapterOf])
      expect(difference(numbersOf(file(one.model)), numbersOf(file(other.model)))).toBeLessThan(1e-3);
  });

  test('a run may be resumed with another micro_batch', async () => {
    const whole = options({ ...settings, microBatch: 3 });
    await train(whole);
    const parts = { ...whole, out: fresh(), microBatch: 1 };
    const controller = new AbortController();
    const begun = train({ ...parts, signal: controller.signal }, (trainer) =>
      trainer.on('step', ({ step }) => void (step === 2 && controller.abort())),
    );
    expect(await failure(begun)).toMatchObject({ name: 'AbortError' });
    await train({ ...parts, microBatch: 2, resume: true });
    losses(whole.out).forEach((loss, at) => {
      expect(losses(parts.out)[at]).toBeCloseTo(loss, 4);
    });
  });
});

describe('an adapter that is trained on', () => {
  const settings = { phase: 'lora-sft', epochs: 1, warmupSteps: 0 } as const;

  /** Validation's mean loss by the way of inference, which reads the adapter's configuration. */
  async function score(dir: string): Promise<number> {
    const { entries } = await readManifest(bench.fixture.data);
    const { volumes } = await readCacheIndex(bench.fixture.cache as string);
    await using model = await Brain3D.load({ model: dir });
    let [sum, tokens] = [0, 0];
    for (const { id, report } of entries.filter(({ split }) => split === 'val')) {
      const { tokenNlls } = await model.score(await openCachedVolume(volumes.get(id) as string), report);
      sum += tokenNlls.reduce((a, b) => a + b, 0);
      tokens += tokenNlls.length;
    }
    return sum / tokens;
  }

  test.each<[string, object, Loose]>([
    [
      'what was of its making',
      { init_lora_weights: 'eva', eva_config: { rho: 1 }, lora_ga_config: { scale: 'unit' }, a_later_field: false },
      { target_modules: ['k_proj', 'o_proj', 'q_proj', 'v_proj'], use_rslora: false },
    ],
    ['its scale', { use_rslora: true, lora_alpha: 4 }, { use_rslora: true, lora_alpha: 4 }],
    [
      'its modules, by name where names do not say it',
      { layers_to_transform: [...Array(64).keys()], layers_pattern: 'layers' },
      { target_modules: expect.arrayContaining(['layers.0.self_attn.k_proj', 'layers.0.self_attn.q_proj']) },
    ],
    [
      'an expression',
      { target_modules: '.*_proj' },
      { target_modules: expect.arrayContaining(['layers.0.self_attn.q_proj']) },
    ],
  ])('keeps true: %s', async (_title, changes, expected) => {
    const { model: first } = await train(options(settings));
    const start = `${fresh()}-start`;
    cpSync(first, start, { recursive: true, dereference: true });
    const fresh_ = readConfig(first);
    writeFileSync(configOf(start), JSON.stringify({ ...fresh_, ...changes, base_model_name_or_path: '/home/someone' }));
    const run = options({ ...settings, model: start });
    const { model, phases } = await train(run);
    // A fresh adapter's configuration, but for what describes this one.
    expect(readConfig(model)).toEqual({ ...fresh_, ...expected });
    expect(await score(model)).toBeCloseTo((phases[0] as Loose).best.loss, 4);
  });

  test('is refused where its base was changed', async () => {
    const { model: first } = await train(options(settings));
    const start = `${fresh()}-start`;
    cpSync(first, start, { recursive: true, dereference: true });
    writeFileSync(configOf(start), JSON.stringify({ ...readConfig(first), init_lora_weights: 'pissa_niter_4' }));
    expect(await failure(train(options({ ...settings, model: start })))).toMatchObject({
      code: 'BRAIN3D_UNSUPPORTED',
      field: 'init_lora_weights',
    });
  });
});
