#!/usr/bin/env node
// Trains a LoRA adapter with brain3d on a golden model, for adapter_check.py (after `npm run build`):
//   node tools/reference/adapter_case.mjs OUT paper_text|paper_cond
// OUT gets adapter/, brain3d.safetensors and case.json: pooled tokens, ids, and the loss of each sample at the end.
import { mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../..');
const GOLDEN = join(ROOT, 'test/golden');
const require = createRequire(import.meta.url);
const { loadAddon } = require(join(ROOT, 'dist/native/binding.js'));
const { callNative } = require(join(ROOT, 'dist/native/call.js'));
const { SplitMix64 } = require(join(ROOT, 'dist/base/rng.js'));

const [out, name] = process.argv.slice(2);
const language = { paper_text: 'gemma_text', paper_cond: 'gemma_cond' }[name];
if (out === undefined || language === undefined) throw new TypeError('expected OUT and paper_text or paper_cond');
const [K, E, VOCAB, PROMPT, STEPS] = [8, 24, 160, 9, 20];
const MODULES = ['q_proj', 'k_proj', 'v_proj', 'o_proj'];
const LORA = { rank: 4, alpha: 8, targetModules: MODULES, seed: 1 };

const addon = loadAddon();
const call = (work) => callNative(addon, undefined, work);
const random = new SplitMix64(7n);
const uniform = () => Number(random.next() >> 11n) / 2 ** 53;
const samples = Array.from({ length: 6 }, (_, i) => ({
  pooled: Float32Array.from({ length: K * E }, () => 2 * uniform() - 1),
  ids: Int32Array.from({ length: PROMPT + 4 + 3 * i }, (_, at) =>
    at === 0 ? 2 : 3 + Math.floor(uniform() * (VOCAB - 3)),
  ),
  labelsBegin: PROMPT,
}));
const objective = {
  name: 'report',
  samples,
  microBatches: [
    [0, 3, 5],
    [1, 2, 4],
  ],
  lossMean: 'tokens',
  logitRows: 16,
  recompute: false,
};

const trainer = await call((token) =>
  addon.createTrainer(
    {
      visionDir: join(GOLDEN, 'models/vision'),
      languageDir: join(GOLDEN, 'models', language),
      weightsFile: join(GOLDEN, 'checkpoints', name, 'brain3d.safetensors'),
      adapterDir: '',
      recipe: {
        channelCollapse: 'sum',
        position: 'learned_depth_pretrained_spatial',
        compression: 'sequence',
        numVisualTokens: K,
        compressionGrid: [2, 2, 2],
        depthKernel: 2,
        depthStride: 1,
        depthPadding: 1,
        volumeSize: [8, 42, 56],
      },
      device: 'cpu',
      dtype: 'float32',
      trains: ['projector', 'lora'],
      lora: LORA,
      loraDropout: 0.05,
      optimizer: { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01 },
    },
    token,
    null,
  ),
);
for (let seed = 0; seed < STEPS; seed++) {
  const update = { learningRates: { projector: 1e-3, lora: 1e-2 }, maxGradNorm: 1, seed };
  await call((token) => trainer.step(objective, update, token));
}
mkdirSync(join(out, 'adapter'), { recursive: true });
await call((token) => trainer.writeWeights(join(out, 'brain3d.safetensors'), token));
await call((token) => trainer.writeAdapter(join(out, 'adapter/adapter_model.safetensors'), token));
const { sampleLosses } = await call((token) => trainer.loss(objective, token));
trainer.dispose();

// These are the fields that lib/training/adapter-config.ts writes for the command; the others are PEFT's defaults.
const config = {
  base_model_name_or_path: language,
  bias: 'none',
  inference_mode: true,
  lora_alpha: LORA.alpha,
  lora_dropout: 0.05,
  peft_type: 'LORA',
  r: LORA.rank,
  target_modules: MODULES,
  task_type: 'CAUSAL_LM',
};
writeFileSync(join(out, 'adapter/adapter_config.json'), JSON.stringify(config));
const plain = samples.map(({ pooled, ids }) => ({ pooled: [...pooled], ids: [...ids] }));
writeFileSync(
  join(out, 'case.json'),
  JSON.stringify({ labels_begin: PROMPT, samples: plain, losses: [...sampleLosses] }),
);
