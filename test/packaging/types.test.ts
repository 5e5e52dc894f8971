/** The published typings, as strict consumers of both module kinds see them. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, runNode } from '../support/child';

const CONSUMER = `
import { Brain3D, Brain3DError, DISCLAIMER, loadVolume, preprocess, type Report, type TextChunk, Volume } from 'brain3d';

export async function consume(signal: AbortSignal): Promise<string> {
  const model = await Brain3D.load({ model: 'checkpoint', device: 'auto', dtype: 'bfloat16', signal });
  model.on('progress', ({ stage, done, total }) => console.log(stage, done / total));
  const volume: Volume = await preprocess(await loadVolume('scan.nii.gz', { orientation: 'RAS' }), { size: [64, 128, 128] });
  const report: Report = await model.generate(volume, { topK: 64, noRepeatNgramSize: 3, seed: 1 });
  const reports: Report[] = await model.generate(['a.nii', volume], { batchSize: 2 });
  for await (const chunk of model.stream(volume)) { const piece: TextChunk = chunk; console.log(piece.text); }
  const { tokenNlls } = await model.score(volume, report.text);
  // @ts-expect-error an unknown option
  await model.generate(volume, { temprature: 1 }).catch((error: unknown) => Brain3DError.isInstance(error) && error.code);
  // @ts-expect-error a list of volumes gives a list of reports
  const wrong: Report = await model.generate([volume]);
  await model.dispose();
  return [report.text, DISCLAIMER, reports.length, tokenNlls.length, wrong].join();
}
`;

test.each(['mts', 'cts'])('a strict %s consumer compiles', async (extension) => {
  // Inside the package, so that its own name resolves through "exports" as for any consumer.
  const dir = join(ROOT, 'build', `types-${extension}`);
  mkdirSync(dir, { recursive: true });
  try {
    const file = join(dir, `consumer.${extension}`);
    writeFileSync(file, CONSUMER);
    const ending = await runNode([
      join(ROOT, 'node_modules/typescript/bin/tsc'),
      ...['--ignoreConfig', '--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2022', '--types', 'node'],
      ...['--lib', 'es2023,esnext.disposable', file],
    ]);
    expect(ending.stdout).toBe('');
    expect(ending.code).toBe(0);
  } finally {
    rmSync(dir, { recursive: true });
  }
});
