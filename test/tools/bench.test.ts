/** The benchmarks' own sides on the demo backbones: what nothing runs falls behind the code. Times are not looked at. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Volume } from 'brain3d';
import { loadAddon } from '../../dist/native/binding';
import { callNative } from '../../dist/native/call';
import { type Loose, MODEL, ROOT, SAMPLE } from '../support/child';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'brain3d-bench-test-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function bench(script: string, ...args: string[]): Loose {
  const output = execFileSync(process.execPath, [join(ROOT, 'bench', script), ...args], {
    encoding: 'utf8',
    cwd: ROOT,
  });
  return output === '' ? undefined : JSON.parse(output.trim().split('\n').at(-1) as string);
}

test('stages of a report', () => {
  const options = { tokens: 4, repeat: 1, device: 'cpu', dtype: 'float32', cudaGraph: true };
  const result = bench('own-stages.mjs', MODEL, SAMPLE, JSON.stringify(options));
  expect(result.token_ids).toHaveLength(4);
  for (const stage of ['preprocess', 'encode', 'prefill', 'decode'])
    expect(Number.isFinite(result[stage].median_ms)).toBe(true);
  expect(result.peak_model_bytes).toBeGreaterThan(0);
});

test('steps of all phases', async () => {
  const recipe = JSON.parse(readFileSync(join(ROOT, 'bench/recipes.json'), 'utf8')).coarse;
  const [depth, height, width] = recipe.volumeSize;
  for (const kind of ['vision', 'language']) symlinkSync(join(ROOT, 'models/tiny', kind), join(dir, kind));
  mkdirSync(join(dir, 'volumes'));
  const addon = loadAddon();
  for (const index of [0, 1]) {
    const voxels = new Float32Array(depth * height * width).map((_, at) => ((at * (index + 3)) % 97) / 97);
    const volume = Volume.fromArray(voxels, recipe.volumeSize, [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]);
    const file = join(dir, `volumes/${index}.safetensors`);
    await callNative(addon, undefined, (token) => addon.writeCachedVolume(volume.native, file, token));
  }
  const reports = [
    [5, 6, 7, 1],
    [9, 10, 1],
  ];
  writeFileSync(join(dir, 'data.json'), JSON.stringify({ prompt: [2, 4], reports, micro_batches: [[0], [1]] }));
  writeFileSync(join(dir, 'recipe.json'), JSON.stringify(recipe));
  const where = { device: 'cpu', dtype: 'float32' };
  bench('own-training.mjs', dir, JSON.stringify({ prepare: true, ...where }));
  for (const phase of ['grounding', 'projector-warmup', 'lora-sft']) {
    const job = { phase, batch: 2, steps: 1, microBatch: 1, recompute: true, ...where };
    const result = bench('own-training.mjs', dir, JSON.stringify(job));
    expect(result.seconds).toHaveLength(1);
    expect(Number.isFinite(result.first_loss)).toBe(true);
    expect(result.first_grad_norm).toBeGreaterThan(0);
  }
});
