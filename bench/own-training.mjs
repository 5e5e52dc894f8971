// Runs brain3d's side of the training benchmark in one process and prints one JSON object on stdout. With `prepare` it
// writes DIR/brain3d.safetensors and DIR/adapter, from which both sides start.
//   node bench/own-training.mjs DIR '{"prepare": true, ...}'
//   node bench/own-training.mjs DIR '{"phase": ..., "batch": ..., "steps": ..., "microBatch": ..., "recompute": ...,
//     "device": ..., "dtype": ...}'
import { readFileSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const require = createRequire(import.meta.url);
const { loadAddon } = require('../dist/native/binding.js');
const { callNative } = require('../dist/native/call.js');

const [dir, argument] = process.argv.slice(2);
const LORA = { rank: 16, alpha: 32, targetModules: ['q_proj', 'k_proj', 'v_proj', 'o_proj'], seed: 0 };
const DROPOUT = 0.05;
const TRAINS = {
  grounding: ['patch_embedding', 'depth_positions', 'projector'],
  'projector-warmup': ['projector', 'vis_scale'],
  'lora-sft': ['projector', 'lora'],
};

const addon = loadAddon();
const call = (work) => callNative(addon, undefined, work);
const read = (name) => JSON.parse(readFileSync(join(dir, name), 'utf8'));

/** Returns the resident memory of this process in bytes; `VmHWM` is the field of its peak. */
function residentBytes(field) {
  return Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(readFileSync('/proc/self/status', 'utf8'))[1]) * 1024;
}

const createTrainer = (trains, { device, dtype }, { adapterDir = '', lora = null } = {}) =>
  call((token) =>
    addon.createTrainer(
      {
        visionDir: join(dir, 'vision'),
        languageDir: join(dir, 'language'),
        weightsFile: join(dir, 'brain3d.safetensors'),
        adapterDir,
        recipe: read('recipe.json'),
        device,
        dtype,
        trains,
        lora,
        loraDropout: DROPOUT,
        optimizer: { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01 },
      },
      token,
      null,
    ),
  );

async function prepare(job) {
  const weightsFile = join(dir, 'brain3d.safetensors');
  const backbones = { visionDir: join(dir, 'vision'), languageDir: join(dir, 'language') };
  await call((token) =>
    addon.initCheckpoint(
      { ...backbones, recipe: read('recipe.json'), patchEmbedding: 'inflated', seed: 0, weightsFile },
      token,
    ),
  );
  const trainer = await createTrainer(TRAINS['lora-sft'], job, { lora: LORA });
  await mkdir(join(dir, 'adapter'));
  await call((token) => trainer.writeAdapter(join(dir, 'adapter/adapter_model.safetensors'), token));
  const config = {
    peft_type: 'LORA',
    task_type: 'CAUSAL_LM',
    base_model_name_or_path: 'language',
    r: LORA.rank,
    lora_alpha: LORA.alpha,
    lora_dropout: DROPOUT,
    target_modules: LORA.targetModules,
    bias: 'none',
    inference_mode: true,
  };
  writeFileSync(join(dir, 'adapter/adapter_config.json'), JSON.stringify(config));
  trainer.dispose();
}

/** Makes a function that does one step of `phase`, and measures the first pass over the volumes (0 in grounding). */
async function makeStep(trainer, { phase, batch, microBatch, recompute }) {
  const { prompt, reports, micro_batches: microBatches } = read('data.json');
  const volumes = Array.from({ length: batch }, (_, i) => join(dir, `volumes/${i}.safetensors`));
  const update = {
    learningRates: Object.fromEntries(TRAINS[phase].map((group) => [group, 1e-4])),
    maxGradNorm: 1,
  };
  if (phase === 'grounding') {
    const texts = await call((token) =>
      trainer.embedTexts(
        reports.slice(0, batch).map((ids) => [prompt[0], ...ids.slice(0, -1)]),
        token,
      ),
    );
    const rows = { volumes, texts, textIds: volumes.map((_, i) => i) };
    const options = { microBatch, temperature: 0.07, visualEmbedding: 'inference', recompute };
    const objective = { name: 'contrastive', ...rows, ...options };
    const step = (seed) => call((token) => trainer.step(objective, { ...update, seed }, token));
    return { step, encodeSeconds: 0 };
  }
  const start = performance.now();
  const samples = [];
  for (const [i, volume] of volumes.entries()) {
    const pooled = await call((token) => trainer.encodePooled(volume, token));
    samples.push({ pooled, ids: Int32Array.from([...prompt, ...reports[i]]), labelsBegin: prompt.length });
  }
  const encodeSeconds = (performance.now() - start) / 1000;
  const objective = { name: 'report', samples, microBatches, lossMean: 'tokens', logitRows: 1024, recompute };
  const step = (seed) => call((token) => trainer.step(objective, { ...update, seed }, token));
  return { step, encodeSeconds };
}

async function run(job) {
  const before = residentBytes('VmHWM'); // LibTorch is open, and nothing of the model is held
  const adapterDir = job.phase === 'lora-sft' ? join(dir, 'adapter') : '';
  const trainer = await createTrainer(TRAINS[job.phase], job, { adapterDir });
  const { step, encodeSeconds } = await makeStep(trainer, job);
  const [seconds, cpuSeconds] = [[], []];
  let first;
  let peakDeviceBytes = 0;
  for (let i = 0; i <= job.steps; i++) {
    const [start, cpuStart] = [performance.now(), process.cpuUsage()];
    const result = await step(i);
    first ??= result; // the first step warms up
    peakDeviceBytes = Math.max(peakDeviceBytes, result.peakDeviceBytes);
    if (i === 0) continue;
    seconds.push((performance.now() - start) / 1000);
    const { user, system } = process.cpuUsage(cpuStart);
    cpuSeconds.push((user + system) / 1e6);
  }
  const mean = first.sampleLosses.reduce((sum, loss) => sum + loss, 0) / first.sampleLosses.length;
  const result = {
    seconds,
    cpu_seconds: cpuSeconds,
    first_loss: first.loss,
    first_sample_mean_loss: mean,
    first_grad_norm: first.gradNorm,
    peak_bytes: residentBytes('VmHWM'),
    peak_growth_bytes: residentBytes('VmHWM') - before,
    peak_device_bytes: peakDeviceBytes,
    gpu: job.device === 'cpu' ? null : addon.systemInfo().cudaDevices[0].description,
    encode_seconds: encodeSeconds,
    threads: addon.systemInfo().cpuThreads,
  };
  trainer.dispose();
  process.stdout.write(`${JSON.stringify(result)}\n`);
}

const job = JSON.parse(argument);
await (job.prepare ? prepare(job) : run(job));
