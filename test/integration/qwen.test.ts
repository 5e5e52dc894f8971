/** A checkpoint over a shrunken Qwen 2.5 from end to end: made, trained through the phases, loaded and asked for a report. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Brain3D, initCheckpoint, inspect, readCheckpoint, TRAINING_PHASES } from 'brain3d';
import cases from '../golden/qwen/tokenizer_cases.json';
import { ROOT } from '../support/child';
import { readLog, SMALL, train, writeTrainingFixture } from '../support/training';

const MODELS = join(ROOT, 'test/golden/models');
const EOS = cases.added['<|endoftext|>'];

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'brain3d-qwen-'));
});
afterAll(() => rmSync(dir, { recursive: true }));

// The first has shards and the slow tokenizer's files, the second one file and tokenizer.json.
test.each(['qwen', 'qwen_tied'])('a checkpoint over %s is trained and writes a report', async (name) => {
  const backbones = { vision: join(MODELS, 'vision'), language: join(MODELS, name) };
  const fixture = await writeTrainingFixture(join(dir, name), { train: 4, val: 2 }, backbones);
  const { eosTokenIds } = await readCheckpoint(fixture.model);
  expect(eosTokenIds).toEqual([EOS]);

  const run = { ...fixture, ...SMALL, epochs: 1, out: join(dir, `${name}-run`) };
  const { phases, model: best } = await train(run);
  expect(phases.map(({ phase }) => phase)).toEqual([...TRAINING_PHASES]);
  for (const phase of TRAINING_PHASES) {
    const losses = readLog(run.out, phase).map(({ loss }) => loss);
    expect(losses.length).toBeGreaterThan(0);
    expect(losses.every(Number.isFinite)).toBe(true);
  }
  // The adapter has the names of Qwen2ForCausalLM, with which PEFT reads it.
  const adapter = readFileSync(join(best, 'adapter/adapter_model.safetensors'), 'latin1');
  expect(adapter).toContain('"base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"');

  const scan = join(dir, name, 'scan-0.nii');
  const input = { skullStrip: 'none', allowGeometry: true } as const;
  for (const mergeAdapter of [true, false]) {
    await using model = await Brain3D.load({ model: best, mergeAdapter });
    const options = { greedy: true, maxNewTokens: 12, minNewTokens: 4, ...input };
    const [report, again] = [await model.generate(scan, options), await model.generate(scan, options)];
    expect(report.text).toBe(again.text);
    expect(report.tokenIds.length).toBeGreaterThanOrEqual(4);
    const score = await model.score(scan, 'There is no lesion.', input);
    expect(score.tokenIds.at(-1)).toBe(EOS);
    expect(score.tokenNlls.every((nll) => nll > 0)).toBe(true);
  }
});

test('inspect names a Qwen 2.5 backbone and its sizes', async () => {
  const found = await inspect(join(MODELS, 'qwen'));
  expect(found).toMatchObject({
    kind: 'backbone',
    backbone: { modelType: 'qwen2', config: { vocab_size: 320, head_dim: 8, num_hidden_layers: 3 } },
  });
});

test('a language backbone without a tokenizer is refused before anything is written', async () => {
  const out = join(dir, 'refused');
  const options = { vision: join(MODELS, 'vision'), language: join(MODELS, 'gemma_text'), out };
  await expect(initCheckpoint(options)).rejects.toMatchObject({ code: 'BRAIN3D_NOT_FOUND', file: 'tokenizer.json' });
  expect(existsSync(out)).toBe(false);
});
