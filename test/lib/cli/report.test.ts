import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DISCLAIMER } from 'brain3d';
import { brain3d, ROOT, SAMPLE, TINY_MODEL } from '../../support/cli';
import { decodePng } from '../../support/png';

const SHORT = ['--max-new-tokens', '8'];
const CUT = '[truncated: the text was cut at the limit of new tokens]';

let directory: string;
const path = (name: string) => join(directory, name);
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'test-cli-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Some seconds of work. */
const LONG = ['--max-new-tokens', '1500', '--min-new-tokens', '1500'];

describe('report', () => {
  it('prints the text and the disclaimer, everything else on stderr', async () => {
    const { status, stdout, stderr } = await brain3d(['report', SAMPLE, ...SHORT]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^\S.*\n\n/);
    expect(stdout).toBe(`${stdout.split('\n')[0]}\n\n${CUT}\n\n${DISCLAIMER}\n`);
    expect(stderr).toMatch(/demo model/);
    expect(stderr).toMatch(/warning: the checkpoint was trained on simulated data/);
  });

  it('prints one JSON object for one volume', async () => {
    const { stdout } = await brain3d(['report', SAMPLE, '--model', TINY_MODEL, '--json', '--seed', '7', ...SHORT]);
    const document = JSON.parse(stdout);
    expect(document).toMatchObject({
      report: expect.any(String),
      finish_reason: 'length',
      counts: { visual_tokens: 32, new_tokens: 8, batch_size: 1 },
      device: 'cpu',
      dtype: 'float32',
      seed: 7,
      settings: { max_new_tokens: 8, repetition_penalty: 1.2, no_repeat_ngram_size: 3, greedy: false },
      model: { name: 'checkpoint', recipe: 'paper', has_adapter: true },
      volume: { shape: [90, 108, 90], spacing_mm: [2, 2, 2], affine_source: 'sform' },
      research_use_only: true,
      disclaimer: DISCLAIMER,
    });
    expect(document.token_ids).toHaveLength(8);
    expect(Object.keys(document.timings_ms)).toEqual(['read', 'preprocess', 'encode', 'prefill', 'decode', 'total']);
    expect(Math.min(...(Object.values(document.timings_ms) as number[]))).toBeGreaterThan(0);
    expect(stdout).not.toContain(ROOT);
  });

  it('prints one JSON array for several, in batches or not, in the order given', async () => {
    const args = ['report', SAMPLE, SAMPLE, SAMPLE, '--model', TINY_MODEL, '--json', '--greedy', '--batch-size', '2'];
    const { stdout } = await brain3d([...args, '--no-repeat-ngram-size', '2', ...SHORT]);
    const documents = JSON.parse(stdout);
    expect(documents.map((one: { counts: { batch_size: number } }) => one.counts.batch_size)).toEqual([2, 2, 1]);
    expect(new Set(documents.map((one: { report: string }) => one.report)).size).toBe(1);
    expect(documents[0].settings).toMatchObject({ no_repeat_ngram_size: 2, greedy: true });
  });

  it('streams the same text', async () => {
    const args = ['report', SAMPLE, '--model', TINY_MODEL, '--greedy', '--max-new-tokens', '24'];
    const [plain, streamed] = await Promise.all([brain3d(args), brain3d([...args, '--stream'])]);
    expect(streamed.stdout.trim()).toBe(plain.stdout.trim());
  });

  it('writes text, JSON and montage for each volume under safe, unique names, for the user only', async () => {
    mkdirSync(path('b'));
    const odd = join(path('b'), '..A b;$(c).nii.gz');
    const again = join(path('b'), 'COLIN27_t1_2mm.nii.gz');
    for (const link of [odd, again]) symlinkSync(SAMPLE, link);
    const out = path('results');
    const args = ['report', SAMPLE, odd, again, '--model', TINY_MODEL, '--out', out, ...SHORT];
    const { status, stdout, stderr } = await brain3d(args);
    expect(status).toBe(0);
    const stems = ['colin27_t1_2mm', 'A_b___c_', 'COLIN27_t1_2mm-2'];
    const names = stems.flatMap((stem) => ['report.json', 'report.txt', 'montage.png'].map((end) => `${stem}.${end}`));
    expect(readdirSync(out).sort()).toEqual(names.sort());
    for (const name of names) {
      expect(statSync(join(out, name)).mode & 0o777).toBe(0o600);
      expect(stderr).toContain(`wrote ${join(out, name)}`);
    }
    const text = readFileSync(join(out, 'colin27_t1_2mm.report.txt'), 'utf8');
    const { report } = JSON.parse(readFileSync(join(out, 'colin27_t1_2mm.report.json'), 'utf8'));
    expect(text).toBe(`${report}\n\n${CUT}\n\n${DISCLAIMER}\n`);
    expect(stdout).toContain(`# colin27_t1_2mm.nii.gz\n\n${report}\n`);
    expect(decodePng(readFileSync(join(out, 'colin27_t1_2mm.montage.png'))).width).toBe(1024);
  });

  it('stops at SIGINT with status 130', async () => {
    const result = await brain3d(['report', SAMPLE, '--model', TINY_MODEL, '--stream', ...LONG], {
      during: (child) => child.stdout?.once('data', () => child.kill('SIGINT')),
    });
    expect(result.status).toBe(130);
    expect(result.stderr).toMatch(/stopping/);
    expect(result.stderr).not.toMatch(/\[BRAIN3D_/);
  });

  it('ends quietly when nobody reads its output', async () => {
    const result = await brain3d(['report', SAMPLE, '--model', TINY_MODEL, '--stream', ...LONG], {
      during: (child) => child.stdout?.once('data', () => child.stdout?.destroy()),
    });
    expect(result.status).toBe(0);
    expect(result.stderr).not.toMatch(/EPIPE/);
  });
});
