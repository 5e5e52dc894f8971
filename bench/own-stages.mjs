// Runs brain3d's side of the stage benchmark in one process and prints one JSON object on stdout.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Brain3D, loadVolume, preprocess } from 'brain3d';

const [checkpoint, volumePath, options] = [process.argv[2], process.argv[3], JSON.parse(process.argv[4])];

const addon = createRequire(import.meta.url)('../dist/native/binding.js').loadAddon();
const [gpu = null] = options.device.startsWith('cuda') ? addon.systemInfo().cudaDevices : [];

/** Returns the peak resident memory of this process in bytes; on CUDA the memory that LibTorch took of the device. */
function peakBytes() {
  if (gpu !== null) return gpu.totalBytes - addon.systemInfo().cudaDevices[0].freeBytes;
  return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))[1]) * 1024;
}

function summary(times) {
  const sorted = [...times].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const median = sorted.length % 2 === 1 ? sorted[Math.floor(middle)] : (sorted[middle - 1] + sorted[middle]) / 2;
  return { median_ms: median, min_ms: sorted[0], max_ms: sorted.at(-1) };
}

async function timed(repeat, work) {
  const times = [];
  for (let i = 0; i <= repeat; i++) {
    const start = performance.now();
    await work();
    if (i > 0) times.push(performance.now() - start); // the first warms up
  }
  return summary(times);
}

// Nothing is stripped, as in the Python side.
const readPreprocess = async () => preprocess(await loadVolume(volumePath), { skullStrip: 'none' });
const volume = await readPreprocess();
const baselineBytes = peakBytes(); // LibTorch is open, and nothing of the model is held
const loadStart = performance.now();
const model = await Brain3D.load({ model: checkpoint, device: options.device, dtype: options.dtype });
const loadMs = performance.now() - loadStart;

const { cudaGraph } = options;

/** Runs greedy decoding of exactly `tokens` tokens. */
const generate = (tokens) =>
  model.generate(volume, { greedy: true, minNewTokens: tokens, maxNewTokens: tokens, cudaGraph }).then((report) => ({
    ...report,
    languageMs: report.timingsMs.prefill + report.timingsMs.decode,
  }));

const stages = { encode: [], prefill: [], decode: [] };
let report;
for (let i = 0; i <= options.repeat; i++) {
  // One token needs the prefill and one choice of a token. The further tokens add their decoding, as in stages.py.
  const first = await generate(1);
  report = await generate(options.tokens);
  if (i === 0) continue;
  stages.encode.push(report.timingsMs.encode);
  stages.prefill.push(first.languageMs);
  stages.decode.push((report.languageMs - first.languageMs) / (options.tokens - 1));
}
const result = {
  ...model.info,
  load_ms: loadMs,
  preprocess: await timed(options.repeat, readPreprocess),
  encode: summary(stages.encode),
  prefill: summary(stages.prefill),
  decode: summary(stages.decode),
  token_ids: report.tokenIds,
  weight_bytes: model.info.weightBytes,
  peak_model_bytes: peakBytes() - baselineBytes,
  gpu: gpu?.description ?? null,
};
await model.dispose();
process.stdout.write(`${JSON.stringify(result)}\n`);
