// Text as it is decoded, from CommonJS, stopped by Ctrl-C.
//
//   node examples/stream.cjs [VOLUME]
const { join } = require('node:path');
const { Brain3D, Brain3DError, DISCLAIMER } = require('brain3d');

const ROOT = join(__dirname, '..');

async function main(volume = join(ROOT, 'assets', 'colin27_t1_2mm.nii.gz')) {
  const controller = new AbortController();
  process.once('SIGINT', () => controller.abort());
  const { signal } = controller;
  const model = await Brain3D.load({ model: join(ROOT, 'models', 'tiny', 'checkpoint'), signal });
  try {
    const stream = model.stream(volume, { greedy: true, signal });
    for await (const { text } of stream) process.stdout.write(text);
    const { counts, finishReason } = await stream.report;
    console.log(`\n\n${counts.newTokens} tokens, ended by ${finishReason}\n${DISCLAIMER}`);
  } finally {
    await model.dispose();
  }
}

main(process.argv[2]).catch((error) => {
  // Codes are stable, texts are not: docs/errors.md.
  if (Brain3DError.isInstance(error)) console.error(`${error.code}: ${error.message}`);
  else if (error.name !== 'AbortError') console.error(error);
  process.exitCode = 1;
});
