/** Tests of what a report depends on, for which inputs it is refused, and what it says of itself. */
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  Brain3D,
  DISCLAIMER,
  extractLaterality,
  loadVolume,
  preprocess,
  type Report,
  simulateCohort,
  Trainer,
  Volume,
} from 'brain3d';
import { flagsOf, reportText } from '../../dist/model/report';
import { MODEL, SAMPLE } from '../support/child';
import { brain3d, TINY_MODEL } from '../support/cli';

let dir: string;
let model: Brain3D;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'brain3d-'));
  model = await Brain3D.load({ model: MODEL });
});
afterAll(async () => {
  await model.dispose();
  rmSync(dir, { recursive: true, force: true });
});

const bytesOf = (voxels: Float32Array): Buffer => Buffer.from(voxels.buffer, voxels.byteOffset, voxels.byteLength);
const digestOf = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
/** All of a report but the time it took. */
const lasting = ({ timingsMs: _, ...report }: Report): string => JSON.stringify(report);

const NAMES = [
  ...[
    'healthy',
    'unhealthy',
    'Healthy',
    'HEALTHY',
    'HealthyBrains',
    'healthy_brains',
    'UnhealthyBrains',
    'sick',
    'normal',
  ],
  ...[
    'abnormal',
    'patient',
    'control',
    'tumor',
    'glioma',
    'BraTS20_Training_001',
    'BraTS',
    'left',
    'right',
    'LEFT',
    'Right',
  ],
  ...['left_hemisphere', 'flipped', 'flipLR', 'mirrored', 'LPS', 'RAS', 'LAS', 'radiological', 'neurological', 'axial'],
];

describe('the name of a file or a folder', () => {
  const scan = (name: string): string => join(dir, 'names', name, `${name}_preprocessed.nii.gz`);
  beforeAll(() => {
    for (const name of NAMES) {
      mkdirSync(join(dir, 'names', name), { recursive: true });
      cpSync(SAMPLE, scan(name));
    }
  });

  test('never changes the tensor', async () => {
    expect(new Set(NAMES).size).toBe(30);
    const expected = digestOf(bytesOf((await preprocess(await loadVolume(SAMPLE))).data()));
    for (const name of NAMES)
      expect([name, digestOf(bytesOf((await preprocess(await loadVolume(scan(name)))).data()))]).toEqual([
        name,
        expected,
      ]);
  });

  test('never changes the report', async () => {
    const options = { seed: 3, maxNewTokens: 24, batchSize: 1 };
    const expected = lasting(await model.generate(SAMPLE, options));
    const reports = await model.generate(NAMES.map(scan), options);
    for (const [index, report] of reports.entries())
      expect([NAMES[index], lasting(report)]).toEqual([NAMES[index], expected]);
  });
});

describe('left and right', () => {
  let patient: Volume;
  beforeAll(async () => {
    const out = join(dir, 'cohort');
    await simulateCohort({ out, subjects: 1, seed: 1 });
    patient = await loadVolume(join(out, 'brats/Simulated_Training_001/Simulated_Training_001_flair.nii.gz'));
  });

  /** The voxels in reverse along i, and the affine that keeps them in place. */
  function mirrored(volume: Volume): { voxels: Float32Array; affine: number[] } {
    const [depth, height, width] = volume.info.shape;
    const voxels = volume.data();
    for (let row = 0; row < depth * height; row++) voxels.subarray(row * width, (row + 1) * width).reverse();
    const affine = [...volume.info.affine];
    for (const row of [0, 4, 8]) {
      affine[row + 3] = (affine[row + 3] as number) + (width - 1) * (affine[row] as number);
      affine[row] = -(affine[row] as number);
    }
    return { voxels, affine };
  }

  const sideOf = async (volume: Volume): Promise<string> =>
    extractLaterality((await model.generate(volume, { greedy: true })).text).side;

  test('mirrored voxels under the same affine are another patient, with the lesion on the other side', async () => {
    const { voxels } = mirrored(patient);
    const other = Volume.fromArray(voxels, patient.info.shape, patient.info.affine);
    const [own, swapped] = [(await preprocess(patient)).data(), (await preprocess(other)).data()];
    expect(bytesOf(own).equals(bytesOf(swapped))).toBe(false);
    expect(await sideOf(patient)).toBe('left');
    expect(await sideOf(other)).toBe('right');
  });

  test('voxels and affine mirrored together are the same patient, to the last bit', async () => {
    const { voxels, affine } = mirrored(patient);
    const same = Volume.fromArray(voxels, patient.info.shape, affine);
    expect(same.info.orientation).not.toBe(patient.info.orientation);
    const [own, other] = [(await preprocess(patient)).data(), (await preprocess(same)).data()];
    expect(bytesOf(own).equals(bytesOf(other))).toBe(true);
    expect(await sideOf(same)).toBe('left');
  });
});

test('training knows no flip: an option or a setting that would mirror images under unchanged words is refused', async () => {
  const config = join(dir, 'config.json');
  writeFileSync(config, JSON.stringify({ augment: { flip_lr: true } }));
  const options = { model: MODEL, data: 'unused.jsonl', out: join(dir, 'run') };
  expect(() => new Trainer({ ...options, augment: { flipLR: true } } as never)).toThrow("unknown option 'augment'");
  await using trainer = new Trainer({ ...options, config });
  await expect(trainer.run()).rejects.toMatchObject({ code: 'BRAIN3D_CONFIG', field: 'augment' });
});

describe('a report is refused for', () => {
  /** A ball of noise, axis by axis (i, j, k). */
  function volume(voxels: [number, number, number], mm: [number, number, number]): Volume {
    const [width, height, depth] = voxels;
    const data = new Float32Array(width * height * depth).map((_, at) => (at * 7919) % 101);
    const affine = [mm[0], 0, 0, 0, 0, mm[1], 0, 0, 0, 0, mm[2], 0, 0, 0, 0, 1];
    return Volume.fromArray(data, [depth, height, width], affine);
  }
  const short = { maxNewTokens: 2, skullStrip: 'none' } as const;

  test.each<[string, [number, number, number], [number, number, number], string]>([
    ['few slices', [64, 64, 15], [1, 1, 5], 'expected at least 16 slices, got 15'],
    ['few slices along i', [15, 64, 64], [5, 1, 1], 'expected at least 16 slices, got 15'],
    ['few slices of equal spacing', [64, 15, 64], [1, 1, 1], 'expected at least 16 slices, got 15'],
    ['few voxels in plane', [31, 64, 20], [1, 1, 5], 'at least 32 voxels along each axis of a slice, got'],
    ['large voxels', [32, 32, 16], [2, 2, 10.5], 'expected voxels of at most 10 mm, got 10.5 mm'],
    ['unequal spacings', [64, 64, 20], [0.5, 0.5, 6.5], 'expected spacings at most 12 times one another, got 13 times'],
  ])('%s, unless it is allowed', async (_title, voxels, mm, message) => {
    const scan = volume(voxels, mm);
    const refusal = { code: 'BRAIN3D_UNSUPPORTED', field: 'geometry', message: expect.stringContaining(message) };
    await expect(model.generate(scan, short)).rejects.toMatchObject(refusal);
    await expect(model.encode(scan, { skullStrip: 'none' })).rejects.toMatchObject(refusal);
    await expect(model.score(scan, 'A lesion.', { skullStrip: 'none' })).rejects.toMatchObject(refusal);
    await expect(model.generate(scan, { ...short, allowGeometry: true })).resolves.toMatchObject({
      finishReason: 'length',
    });
  });

  test.each<[[number, number, number], [number, number, number]]>([
    [
      [32, 32, 16],
      [1, 1, 10],
    ],
    [
      [64, 64, 16],
      [0.5, 0.5, 6],
    ],
    [
      [16, 32, 32],
      [2, 2, 2],
    ],
  ])('nothing at the limits: %j voxels of %j mm', async (voxels, mm) => {
    await expect(model.generate(volume(voxels, mm), short)).resolves.toMatchObject({ researchUseOnly: true });
  });

  test('another modality in a BIDS name, unless it is allowed; other names say nothing', async () => {
    const named = (name: string): string => {
      cpSync(SAMPLE, join(dir, name));
      return join(dir, name);
    };
    const t1 = named('sub-01_ses-02_acq-a_T1w.nii.gz');
    const refusal = { code: 'BRAIN3D_UNSUPPORTED', field: 'modality', message: expect.stringContaining('says T1w') };
    await expect(model.generate(t1, { maxNewTokens: 2 })).rejects.toMatchObject(refusal);
    await model.generate(t1, { maxNewTokens: 2, allowModality: true });
    for (const name of ['sub-01_FLAIR.nii.gz', 'T1w.nii.gz', 'scan_T1w.nii.gz', 'sub_01_T1w.nii.gz'])
      await model.generate(named(name), { maxNewTokens: 2 });
    const args = ['report', t1, '--model', TINY_MODEL, '--max-new-tokens', '2'];
    expect(await brain3d(args)).toMatchObject({ status: 1, stderr: expect.stringContaining('--allow-modality') });
    expect(await brain3d([...args, '--allow-modality'])).toMatchObject({ status: 0 });
  });

  test('another modality in a sidecar, unless it is allowed', async () => {
    const scan = join(dir, 'ct.nii.gz');
    cpSync(SAMPLE, scan);
    writeFileSync(join(dir, 'ct.json'), '{"Modality":"CT"}');
    const refusal = { code: 'BRAIN3D_UNSUPPORTED', field: 'modality', message: expect.stringContaining('says CT') };
    await expect(model.generate(scan, { maxNewTokens: 2 })).rejects.toMatchObject(refusal);
    await expect(model.encode(scan)).rejects.toMatchObject(refusal);
    await expect(model.score(scan, 'A lesion.')).rejects.toMatchObject(refusal);
    const args = ['report', scan, '--model', TINY_MODEL, '--max-new-tokens', '2'];
    expect(await brain3d(args)).toMatchObject({ status: 1, stderr: expect.stringContaining('--allow-modality') });
    const allowed = model.generate(scan, { maxNewTokens: 2, allowModality: true });
    const same = model.generate(SAMPLE, { maxNewTokens: 2 });
    expect((await allowed).text).toBe((await same).text);
  });

  test('voxels like Hounsfield units are reported on with a warning', async () => {
    const scan = await loadVolume(SAMPLE);
    const data = scan.data().map((value) => (value < 1 ? -1000 : value % 100));
    const ct = Volume.fromArray(data, [...scan.info.shape] as [number, number, number], [...scan.info.affine]);
    const report = await model.generate(ct, { maxNewTokens: 2, skullStrip: 'none' });
    expect(report.warnings).toContainEqual(
      expect.stringMatching(/^hounsfieldUnits: \d+ % of the voxels are -900 or less/),
    );
    const { warnings } = await model.generate(scan, { maxNewTokens: 2 });
    expect(warnings.filter((warning) => warning.startsWith('hounsfieldUnits'))).toEqual([]);
  });
});

describe('what a report says of itself', () => {
  test('provenance: enough to write it again', async () => {
    const report = await model.generate(SAMPLE, { seed: 5, maxNewTokens: 16 });
    const file = (...names: string[]): string => digestOf(readFileSync(join(MODEL, ...names)));
    const own = [
      'brain3d.json',
      'brain3d.safetensors',
      'adapter/adapter_config.json',
      'adapter/adapter_model.safetensors',
    ];
    const backbone = (kind: string): string => {
      const names = readdirSync(join(MODEL, '..', kind)).filter((name) => /\.(json|safetensors)$/.test(name));
      const known = names
        .filter((name) => /^(config|generation_config|tokenizer)\.json$|\.safetensors$/.test(name))
        .sort();
      return digestOf(Buffer.from(known.map((name) => `${name}\0${file('..', kind, name)}\n`).join('')));
    };
    expect(report.model).toEqual({
      name: 'checkpoint',
      recipe: 'paper',
      compression: 'sequence',
      phase: 'lora-sft',
      checkpointDigest: digestOf(Buffer.from(own.map((name) => `${name}\0${file(name)}\n`).join(''))),
      visionDigest: backbone('vision'),
      languageDigest: backbone('language'),
      visionFingerprint: model.checkpoint.vision.fingerprint,
      languageFingerprint: model.checkpoint.language.fingerprint,
      hasAdapter: true,
      brain3dVersion: expect.stringMatching(/^\d+\.\d+\.\d+/),
      torchVersion: expect.stringMatching(/^\d+\.\d+\.\d+/),
      cudaVersion: null,
      nodeVersion: process.versions.node,
    });
    expect(report).toMatchObject({
      device: 'cpu',
      dtype: 'float32',
      prompt: model.checkpoint.prompt,
      settings: { seed: 5 },
    });
    expect(report.volume).toMatchObject({
      orientation: 'LPS',
      affineSource: 'sform',
      spacingMm: [2, 2, 2],
      shape: [90, 108, 90],
    });
    expect(report.input).toMatchObject({ orientation: 'RAS', shape: [64, 128, 128] });
    expect(report.input.affine).toHaveLength(16);
    expect(report).toMatchObject({ researchUseOnly: true, disclaimer: DISCLAIMER, warnings: expect.any(Array) });
    const again = await model.generate(SAMPLE, { seed: 5, maxNewTokens: 16 });
    expect(lasting(again)).toBe(lasting(report));
  });

  test('flags: truncated, empty, repetitive, each with its warning and in the written text', async () => {
    const truncated = await model.generate(SAMPLE, { maxNewTokens: 4 });
    expect(truncated.flags).toEqual(['truncated']);
    const whole = await model.generate(SAMPLE, { greedy: true });
    expect(whole.flags).toEqual([]);
    expect(reportText(whole)).toBe(`${whole.text}\n\n${DISCLAIMER}`);
    const loop = await model.generate(SAMPLE, {
      ...{ greedy: true, minNewTokens: 600, maxNewTokens: 600 },
      ...{ noRepeatNgramSize: 0, repetitionPenalty: 0.5 },
    });
    expect(loop.flags).toEqual(['truncated', 'repetitive']);
    expect(loop.warnings).toContainEqual(expect.stringContaining('repeats itself'));
    expect(reportText(loop)).toBe(
      `${loop.text}\n\n[truncated: the text was cut at the limit of new tokens]\n\n` +
        `[repetitive: the text repeats itself: the same four tokens more than eight times]\n\n${DISCLAIMER}`,
    );
  });

  test('the detector counts four tokens in a row: nine times is a loop, eight is not', () => {
    const ids = (count: number): number[] => Array.from({ length: count }, () => [1, 2, 3, 4, 5]).flat();
    expect(flagsOf('x', ids(8), 'eos')).toEqual([]);
    expect(flagsOf('x', ids(9), 'eos')).toEqual(['repetitive']);
    expect(flagsOf('x', new Array(11).fill(7), 'eos')).toEqual([]);
    expect(flagsOf('x', new Array(12).fill(7), 'eos')).toEqual(['repetitive']);
    expect(flagsOf(' \n', [1], 'eos')).toEqual(['empty']);
    expect(flagsOf('', [], 'length')).toEqual(['truncated', 'empty']);
  });

  test('a text that is stopped is no report: the stream says so, and so does the command line', async () => {
    const long = { minNewTokens: 1500, maxNewTokens: 1500, noRepeatNgramSize: 0 };
    const stream = model.stream(SAMPLE, long);
    expect(stream.finishReason).toBeNull();
    for await (const _ of stream) break;
    await expect(stream.report).rejects.toMatchObject({ name: 'AbortError' });
    expect(stream.finishReason).toBe('abort');
    const whole = model.stream(SAMPLE, { greedy: true });
    await whole.report;
    expect(whole.finishReason).toBe('eos');
    const failed = model.stream(join(dir, 'absent.nii'));
    await expect(failed.report).rejects.toMatchObject({ code: 'BRAIN3D_NOT_FOUND' });
    expect(failed.finishReason).toBe('error');
    const args = ['--stream', '--max-new-tokens', '1500', '--min-new-tokens', '1500'];
    const { status, stdout } = await brain3d(['report', SAMPLE, '--model', TINY_MODEL, ...args], {
      during: (child) => child.stdout?.once('data', () => child.kill('SIGINT')),
    });
    expect(status).toBe(130);
    expect(stdout).toMatch(/\S\n\n\[aborted: the text is not complete\]\n\n/);
    expect(stdout.endsWith(`${DISCLAIMER}\n`)).toBe(true);
  });
});
