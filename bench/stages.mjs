#!/usr/bin/env node
// Compares the stages of a report with the same stages in transformers, in one run: preprocess, encode, prefill,
// decode.
//
//   npm run bench -- [--python PYTHON] [--size small|4b] [--tokens N] [--repeat R] [--rounds N] [--device cpu|cuda]
//                    [--dtype float32|bfloat16] [--no-cuda-graph] [--model DIR] [--out FILE.json]
//
// PYTHON must import torch, transformers, nibabel and safetensors. Both sides run in fresh processes, one after the
// other, `rounds` times in turns, so that a machine's drift meets both. Process start and model load are not timed
// (brain3d's load is reported apart). In float32 the greedy tokens of both sides must be the same, or there is nothing
// to compare. In bfloat16 rounding decides between the nearly equal logits of a random model, so a difference is
// reported and is no failure.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { initCheckpoint } from 'brain3d';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const STAGES = ['preprocess', 'encode', 'prefill', 'decode'];
const PROMPT_IDS_OF = 'Generate a radiology report for this brain MRI FLAIR scan';

const { values } = parseArgs({
  options: {
    python: { type: 'string', default: 'python3' },
    size: { type: 'string', default: 'small' },
    tokens: { type: 'string', default: '64' },
    repeat: { type: 'string', default: '5' },
    rounds: { type: 'string', default: '2' },
    device: { type: 'string', default: 'cpu' },
    dtype: { type: 'string', default: 'float32' },
    'no-cuda-graph': { type: 'boolean', default: false },
    model: { type: 'string' }, // a model made before, where making 9 GB every time takes too long
    volume: { type: 'string', default: join(ROOT, 'assets/colin27_t1_2mm.nii.gz') },
    out: { type: 'string' },
  },
});

function runJson(command, args) {
  const output = execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], cwd: ROOT });
  return JSON.parse(output.trim().split('\n').at(-1));
}

async function promptIds(language) {
  const { Tokenizer } = await import(join(ROOT, 'dist/tokenizer/tokenizer.js'));
  const tokenizer = await Tokenizer.load(language);
  const ids = await tokenizer.encode(PROMPT_IDS_OF, true);
  await tokenizer.dispose();
  return ids;
}

/** Returns the best median of several rounds, since noise only ever adds time. */
function best(rounds, stage) {
  return rounds.map((round) => round[stage]).reduce((a, b) => (a.median_ms <= b.median_ms ? a : b));
}

/** The bytes of the largest tensors alive at once in an encoder layer: x, its norm, fc1's output and the activation. */
function activationBytes(dir, dtype) {
  const { hidden_size: width, intermediate_size: inner } = JSON.parse(
    readFileSync(join(dir, 'vision/config.json'), 'utf8'),
  ).vision_config;
  return 65 * 9 * 9 * (2 * width + 2 * inner) * (dtype === 'bfloat16' ? 2 : 4);
}

/** Makes DIR/vision, DIR/language and, over them, DIR/checkpoint. */
async function makeModel(dir) {
  const script = join(ROOT, 'bench/reference/make_model.py');
  execFileSync(values.python, [script, dir, '--size', values.size, '--device', values.device], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const [vision, language, out] = ['vision', 'language', 'checkpoint'].map((name) => join(dir, name));
  await initCheckpoint({ vision, language, out });
}

async function main() {
  const dir = values.model ?? mkdtempSync(join(tmpdir(), 'brain3d-bench-'));
  try {
    if (!existsSync(join(dir, 'checkpoint'))) await makeModel(dir);
    const [vision, language, checkpoint] = ['vision', 'language', 'checkpoint'].map((name) => join(dir, name));
    const { device, dtype, volume } = values;
    const cudaGraph = !values['no-cuda-graph'];
    const options = { tokens: Number(values.tokens), repeat: Number(values.repeat), device, dtype, cudaGraph };
    const ids = JSON.stringify(await promptIds(language));
    const ours = [];
    const theirs = [];
    for (let round = 0; round < Number(values.rounds); round++) {
      const own = [join(ROOT, 'bench/own-stages.mjs'), checkpoint, volume, JSON.stringify(options)];
      ours.push(runJson(process.execPath, own));
      // This is printed at once, because the Python side may take too long.
      process.stderr.write(
        `brain3d: ${STAGES.map((stage) => `${stage} ${ours.at(-1)[stage].median_ms.toFixed(2)} ms`).join(', ')}\n`,
      );
      theirs.push(
        runJson(values.python, [
          join(ROOT, 'bench/reference/stages.py'),
          checkpoint,
          vision,
          language,
          volume,
          '--tokens',
          values.tokens,
          '--repeat',
          values.repeat,
          '--device',
          device,
          '--dtype',
          dtype,
          '--prompt-ids',
          ids,
        ]),
      );
    }
    report(dir, ours, theirs);
  } finally {
    if (values.model === undefined) rmSync(dir, { recursive: true, force: true });
  }
}

function report(dir, ours, theirs) {
  const same = JSON.stringify(ours[0].token_ids) === JSON.stringify(theirs[0].token_ids);
  const needed = ours[0].weight_bytes + activationBytes(dir, values.dtype);
  const result = {
    date: new Date().toISOString().slice(0, 10),
    command: `npm run bench -- ${process.argv.slice(2).join(' ')}`.trim(),
    machine: { cpu: cpus()[0].model, cores: cpus().length, memory_bytes: totalmem(), gpu: ours[0].gpu },
    node: process.version,
    torch: theirs[0].torch,
    transformers: theirs[0].transformers,
    size: values.size,
    device: values.device,
    dtype: values.dtype,
    cuda_graph: !values['no-cuda-graph'],
    kernels: process.env.BRAIN3D_KERNELS !== 'off',
    tokens: Number(values.tokens),
    same_greedy_tokens: same,
    load_ms: Math.min(...ours.map((round) => round.load_ms)),
    memory: {
      peak_model_bytes: ours[0].peak_model_bytes,
      weights_and_activations_bytes: needed,
      ratio: ours[0].peak_model_bytes / needed,
    },
    stages: {},
  };
  console.log(`stage        brain3d ms   transformers ms   ratio (higher is faster)`);
  for (const stage of STAGES) {
    const [mine, peer] = [best(ours, stage), best(theirs, stage)];
    const ratio = peer.median_ms / mine.median_ms;
    result.stages[stage] = { brain3d: mine, transformers: peer, ratio };
    console.log(
      `${stage.padEnd(12)} ${mine.median_ms.toFixed(2).padStart(10)} ${peer.median_ms.toFixed(2).padStart(17)} ${ratio.toFixed(2).padStart(7)}`,
    );
  }
  console.log(`same greedy tokens: ${same}; peak memory ${result.memory.ratio.toFixed(2)}x of weights + activations`);
  if (values.out !== undefined) {
    if (!existsSync(dirname(values.out))) mkdirSync(dirname(values.out), { recursive: true });
    writeFileSync(values.out, `${JSON.stringify(result, null, 2)}\n`);
  }
  if (!same && values.dtype === 'float32') process.exitCode = 1;
}

await main();
