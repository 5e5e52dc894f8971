// A report for each volume named on the command line, as an ES module.
//
//   node examples/report.mjs [VOLUME...]
import { Brain3D, DISCLAIMER } from 'brain3d';

const root = new URL('..', import.meta.url).pathname;
const volumes = process.argv.length > 2 ? process.argv.slice(2) : [`${root}assets/colin27_t1_2mm.nii.gz`];

const model = await Brain3D.load({ model: `${root}models/tiny/checkpoint` });
try {
  const reports = await model.generate(volumes, { seed: 1, batchSize: 4 });
  for (const [index, { text, finishReason, warnings }] of reports.entries()) {
    console.log(`# ${volumes[index]}\n\n${text}\n`);
    if (finishReason === 'length') console.log('(cut at maxNewTokens)');
    for (const warning of warnings) console.error(`warning: ${warning}`);
  }
  console.log(DISCLAIMER);
} finally {
  await model.dispose();
}
