/** Evaluation as its users run it: a real, tiny model on a simulated cohort. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  buildDataset,
  evaluate,
  type ManifestEntry,
  type Phase,
  readCheckpoint,
  readManifest,
  simulateCohort,
  writeManifest,
} from 'brain3d';
import { brain3d, TINY_MODEL } from '../support/cli';
import { readResults } from '../support/evaluation';

let dir: string;
let data: string;
const at = (name: string) => join(dir, name);
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'brain3d-evaluate-model-'));
  await simulateCohort({ out: at('cohort'), subjects: 6, grid: 'small', seed: 2 });
  data = at('manifest.jsonl');
  const folders = { brats: at('cohort/brats'), reports: at('cohort/reports'), healthy: at('cohort/healthy') };
  await buildDataset({ ...folders, out: at('built.jsonl') });
  // So few subjects leave none to test: a patient and a control do.
  const { entries, skipped } = await readManifest(at('built.jsonl'));
  const first = (kind: string) => entries.find((entry) => entry.class === kind)?.id;
  const tested = [first('glioma'), first('healthy')];
  for (const entry of entries) entry.split = tested.includes(entry.id) ? 'test' : 'train';
  await writeManifest(data, { entries, skipped });
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const FLAGS = ['--greedy', '--max-new-tokens', '6', '--dtype', 'float32', '--device', 'cpu'];
const evaluateTo = (out: string, ...flags: string[]) =>
  brain3d([
    'evaluate',
    '--model',
    TINY_MODEL,
    '--data',
    data,
    '--out',
    at(out),
    '--cache',
    at('cache'),
    ...FLAGS,
    ...flags,
  ]);

test('the command writes its files, and greedy results do not depend on the batch', async () => {
  const together = await evaluateTo('together');
  expect(together.status).toBe(0);
  expect(together.stdout).toContain('## All cases (2)');
  expect(together.stdout).toContain('| constant sentence | control |');
  expect(together.stderr).toContain(`wrote ${at('together/report.html')}`);
  expect(readdirSync(at('together')).sort()).toEqual([
    'cases.csv',
    'generations',
    'report.html',
    'results.json',
    'table.md',
    'table.tex',
  ]);
  const decoding = { greedy: true, maxNewTokens: 6, batchSize: 1, dtype: 'float32', device: 'cpu' } as const;
  await evaluate({ models: [TINY_MODEL], data, out: at('alone'), cache: at('cache'), ...decoding });
  expect(readResults(at('alone'))).toEqual(readResults(at('together')));
  for (const name of ['report.html', 'cases.csv', 'table.tex', 'generations/checkpoint.greedy.jsonl'])
    expect(readFileSync(at(`alone/${name}`), 'utf8')).toBe(readFileSync(at(`together/${name}`), 'utf8'));
  const [row] = readResults(at('together')).rows;
  expect(row.model).toMatchObject({
    phase: (await readCheckpoint(TINY_MODEL)).phase satisfies Phase,
    dtype: 'float32',
  });
  expect(row.generations).toMatchObject({ total: 2, failed: 0 });

  // The same folder with another setting.
  const refused = await evaluateTo('together', '--max-new-tokens', '7');
  expect(refused.status).toBe(1);
  expect(refused.stderr).toMatch(
    /checkpoint.greedy.jsonl: expected texts made with max_new_tokens 7, got 6.*BRAIN3D_CONFIG/,
  );
});

test('a measured lesion is that of the simulation', async () => {
  const { entries } = await readManifest(data);
  const patient = entries.find((entry) => entry.split === 'test' && entry.class === 'glioma') as ManifestEntry;
  const { volumesMm3, multifocal } = JSON.parse(
    readFileSync(patient.image.replace('_flair.nii.gz', '_truth.json'), 'utf8'),
  ).findings;
  const truthMl = (volumesMm3.necrosis + volumesMm3.edema + volumesMm3.enhancing) / 1000;
  const line = readFileSync(at('together/cases.csv'), 'utf8')
    .split('\n')
    .find((text) => text.includes(`,${patient.id},`));
  const [lesionMl, , focality] = (line as string).split(',').slice(6);
  // The truth leaves out the few voxels that lie in neither half of the brain.
  expect(Math.abs(Number(lesionMl) - truthMl) / truthMl).toBeLessThan(0.01);
  expect(focality).toBe(multifocal ? 'multiple' : 'single');
});

test('sampled texts are the same after an abort, which rejects with its reason and keeps what was begun', async () => {
  const options = { models: [TINY_MODEL], data, cache: at('cache'), maxNewTokens: 4, temperature: 1.5, batchSize: 1 };
  const whole = await evaluate({ ...options, out: at('whole') });
  expect(whole.rows[0]?.model?.seeds).toEqual([0]);

  const controller = new AbortController();
  const reason = new Error('enough');
  const onProgress = ({ stage, done }: { stage: string; done: number }) => {
    if (stage === 'generations' && done === 1) controller.abort(reason);
  };
  const aborted = evaluate({ ...options, out: at('aborted'), signal: controller.signal, onProgress });
  await expect(aborted).rejects.toBe(reason);
  const file = 'generations/checkpoint.seed-0.jsonl';
  const begun = readFileSync(at(`aborted/${file}`), 'utf8');
  expect(begun.trimEnd().split('\n')).toHaveLength(2);
  expect(await evaluate({ ...options, out: at('aborted') })).toEqual(whole);
  expect(readFileSync(at(`aborted/${file}`), 'utf8')).toBe(readFileSync(at(`whole/${file}`), 'utf8'));
});

test('wrong usage is status 2', async () => {
  const { status, stderr } = await evaluateTo('usage', '--seeds', '2');
  expect(stderr).toContain('expected one seed for greedy decoding, which draws nothing, got 2');
  expect(status).toBe(2);
});
