// A worker thread with a model of its own: one report for each of its seeds. workerData: { model, volume, seeds, options }.
// Posts the texts.
const { parentPort, workerData } = require('node:worker_threads');
const { Brain3D, loadVolume, preprocess } = require('brain3d');

async function answer() {
  const { model: dir, volume, seeds, options } = workerData;
  const model = await Brain3D.load({ model: dir });
  const input = await preprocess(await loadVolume(volume));
  // Asked for at once, so that they wait in this model's queue.
  const reports = await Promise.all(seeds.map((seed) => model.generate(input, { ...options, seed })));
  await model.dispose();
  parentPort.postMessage(reports.map(({ text }) => text));
}

void answer();
