import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadVolume, preprocess } from 'brain3d';
import { brain3d, ROOT, SAMPLE, TINY_MODEL } from '../../support/cli';

let directory: string;
const path = (name: string) => join(directory, name);
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'test-cli-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe('the other commands', () => {
  it('encode writes what the API gives', async () => {
    const out = path('tokens.safetensors');
    const { status, stderr } = await brain3d(['encode', SAMPLE, '--model', TINY_MODEL, '--out', out]);
    expect(stderr).toContain(`wrote ${out}`);
    expect(status).toBe(0);
    const bytes = readFileSync(out);
    const header = JSON.parse(bytes.toString('utf8', 8, 8 + Number(bytes.readBigUInt64LE(0))));
    expect(header.volume).toMatchObject({ dtype: 'F32', shape: [64, 128, 128] });
    expect(Object.keys(header).sort()).toEqual([
      '__metadata__',
      'patch_tokens',
      'pooled_tokens',
      'visual_tokens',
      'volume',
    ]);
    expect([header.pooled_tokens.shape[0], header.visual_tokens.shape[0]]).toEqual([32, 32]);
  });

  it('score gives a likelihood for each token and the closing one', async () => {
    const report = path('report.txt');
    writeFileSync(report, 'The lesion is located in the left temporal lobe.\n');
    const [file, stdin] = await Promise.all([
      brain3d(['score', SAMPLE, '--model', TINY_MODEL, '--report', report, '--json']),
      brain3d(['score', SAMPLE, '--model', TINY_MODEL, '--report', '-', '--json'], {
        stdin: readFileSync(report, 'utf8'),
      }),
    ]);
    const { token_ids, token_nlls, mean_nll } = JSON.parse(file.stdout);
    expect(stdin.stdout).toBe(file.stdout);
    expect(token_nlls).toHaveLength(token_ids.length);
    expect(token_ids.at(-1)).toBe(1);
    const sum = token_nlls.reduce((total: number, nll: number) => total + nll, 0);
    expect(mean_nll).toBeCloseTo(sum / token_ids.length, 10);
  });

  it('preprocess writes the volume that the API makes', async () => {
    const out = path('small.nii.gz');
    expect(await brain3d(['preprocess', SAMPLE, '--out', out])).toMatchObject({ status: 0, stdout: '' });
    const [written, made] = [await loadVolume(out), await preprocess(await loadVolume(SAMPLE))];
    expect(written.info.shape).toEqual([64, 128, 128]);
    expect(written.data()).toEqual(made.data());
  });

  it('init makes a checkpoint that the same seed makes again, and never over another', async () => {
    const backbones = ['vision', 'language'].flatMap((kind) => [`--${kind}`, join(ROOT, 'models', 'tiny', kind)]);
    const out = path('checkpoint');
    const args = ['init', ...backbones, '--out', out, '--compression', 'grid', '--seed', '3'];
    expect(await brain3d(args)).toMatchObject({ status: 0 });
    const inspection = JSON.parse((await brain3d(['inspect', out, '--json'])).stdout);
    expect(inspection).toMatchObject({
      kind: 'checkpoint',
      checkpoint: { phase: 'initialised', recipe: { compression: 'grid' }, provenance: { command: 'init', seed: 3 } },
      problems: [],
    });
    expect(await brain3d(args)).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/already holds a checkpoint/),
    });
  });

  it('init takes another geometry, and refuses one without patches', async () => {
    const backbones = ['vision', 'language'].flatMap((kind) => [`--${kind}`, join(ROOT, 'models', 'tiny', kind)]);
    const init = (name: string, ...geometry: string[]) =>
      brain3d(['init', ...backbones, '--out', path(name), ...geometry]);
    const small = ['--depth-kernel', '4', '--depth-stride', '4', '--depth-padding', '0', '--volume-size', '32,56,56'];
    expect(await init('small', ...small)).toMatchObject({ status: 0 });
    expect(JSON.parse((await brain3d(['inspect', path('small'), '--json'])).stdout)).toMatchObject({
      checkpoint: { recipe: { depth_kernel: 4, depth_stride: 4, depth_padding: 0, volume_size: [32, 56, 56] } },
      problems: [],
    });
    const refusals: [string[], number, RegExp][] = [
      [['--depth-kernel', '1', '--depth-padding', '1'], 2, /expected depthPadding below depthKernel \(1\), got 1/],
      [['--depth-stride', '0'], 2, /expected an integer from 1 to 64 for depthStride, got 0/],
      [['--volume-size', '64x128x128'], 2, /Expected three integers/],
      [['--volume-size', '64,13,128'], 1, /holds no patch of 2 x 14 x 14.*BRAIN3D_CONFIG/],
      [['--volume-size', '4,28,28', '--depth-kernel', '4', '--depth-padding', '0'], 1, /cannot pool 4 patch tokens/],
    ];
    for (const [geometry, status, message] of refusals)
      expect(await init('refused', ...geometry)).toMatchObject({ status, stderr: expect.stringMatching(message) });
  });

  it('import says what it lacks', async () => {
    const backbones = ['vision', 'language'].flatMap((kind) => [`--${kind}`, join(ROOT, 'models', 'tiny', kind)]);
    const { status, stderr } = await brain3d(['import', '--from', directory, ...backbones, '--out', path('imported')]);
    expect(stderr).toMatch(/projector_vis_scale\.pt.* \[BRAIN3D_NOT_FOUND\]/);
    expect(status).toBe(1);
    expect(existsSync(join(path('imported'), 'brain3d.json'))).toBe(false);
  });

  it('inspect describes a volume in words', async () => {
    const { stdout } = await brain3d(['inspect', SAMPLE]);
    expect(stdout).toMatch(
      /^volume +colin27_t1_2mm\.nii\.gz \(nifti\)\nvoxels +90 x 108 x 90 .*\nspacing +2 x 2 x 2 mm/,
    );
  });

  it('doctor says what works', async () => {
    const { status, stdout } = await brain3d(['doctor', '--json']);
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ brain3d: expect.any(String), libtorch: { unfit: null }, problems: [] });
    expect((await brain3d(['doctor'])).stdout).toMatch(/brain3d works here\.\n$/);
  });

  it('doctor says what is missing and what to do', async () => {
    const { status, stdout } = await brain3d(['doctor'], { env: { LIBTORCH: '/nonexistent' } });
    expect(status).toBe(1);
    expect(stdout).toMatch(/problem {2}No fitting LibTorch was found[\s\S]*set LIBTORCH to/);
  });
});
