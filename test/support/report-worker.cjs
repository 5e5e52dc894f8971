// A worker thread with a model of its own, which writes one report for each of its seeds and posts the texts.
// workerData: { model, volume, seeds, options }.
const { parentPort, workerData } = require('node:worker_threads');
const { Brain3D, loadVolume, preprocess } = require('brain3d');

async function answer() {
  const { model: dir, volume, seeds, options } = workerData;
  const model = await Brain3D.load({ model: dir });
  const input = await preprocess(await loadVolume(volume));
  // The reports are asked for at once, so that they wait in this model's queue.
  const reports = await Promise.all(seeds.map((seed) => model.generate(input, { ...options, seed })));
  await model.dispose();
  parentPort.postMessage(reports.map(({ text }) => text));
}

void answer();
