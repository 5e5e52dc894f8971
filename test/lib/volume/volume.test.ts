/** Volumes through the API: orientation from the affine alone, and what is refused. */
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { inspectVolume, loadVolume, preprocess, Volume } from 'brain3d';
import { SAMPLE } from '../../support/child';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'brain3d-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** Equal voxel for voxel; jest's own comparison takes seconds for a million numbers. */
const same = (a: Float32Array, b: Float32Array): boolean => Buffer.from(a.buffer).equals(Buffer.from(b.buffer));

const RAS = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1];

/** The sample's bytes, unzipped, changed and stored under a name. */
function spoiled(name: string, change: (bytes: Buffer) => Buffer | undefined): string {
  const bytes = gunzipSync(readFileSync(SAMPLE));
  const path = join(dir, name);
  writeFileSync(path, change(bytes) ?? bytes);
  return path;
}

/** qform_code and sform_code, both 0: the header says nothing about the patient. */
const disorient = (bytes: Buffer): undefined => {
  bytes.writeInt16LE(0, 252);
  bytes.writeInt16LE(0, 254);
};

/** dim[0] and dim[4]. */
const fourth = (count: number) => (bytes: Buffer) => {
  bytes.writeInt16LE(4, 40);
  bytes.writeInt16LE(count, 48);
  const voxels = bytes.subarray(352);
  return Buffer.concat([bytes.subarray(0, 352), ...Array.from({ length: count }, () => voxels)]);
};

test('an affine that says nothing is refused unless the caller states the orientation', async () => {
  const path = spoiled('silent.nii', disorient);
  await expect(loadVolume(path)).rejects.toMatchObject({
    code: 'BRAIN3D_ORIENTATION',
    file: 'silent.nii',
    message: expect.stringContaining('--orientation'),
  });
  const stated = await loadVolume(path, { orientation: 'LPS' });
  expect(stated.info).toMatchObject({ affineSource: 'stated', orientation: 'LPS', spacingMm: [2, 2, 2] });
  const known = await preprocess(await loadVolume(SAMPLE));
  expect(same((await preprocess(stated)).data(), known.data())).toBe(true);
  const mirrored = await preprocess(await loadVolume(path, { orientation: 'RPS' }));
  expect(same(mirrored.data(), known.data())).toBe(false);
});

test('a stated orientation that contradicts the file is refused', async () => {
  await expect(loadVolume(SAMPLE, { orientation: 'RAS' })).rejects.toMatchObject({
    code: 'BRAIN3D_ORIENTATION',
    message: expect.stringContaining('LPS'),
  });
  await expect(loadVolume(SAMPLE, { orientation: 'LPS' })).resolves.toBeDefined();
  await expect(loadVolume(SAMPLE, { orientation: 'left' })).rejects.toBeInstanceOf(RangeError);
});

test('an orientation that overrides a lying header is believed, with a warning that says both', async () => {
  const options = { orientation: 'RPS', overrideOrientation: true };
  const corrected = await loadVolume(SAMPLE, options);
  expect(corrected.info).toMatchObject({ affineSource: 'stated', orientation: 'RPS', spacingMm: [2, 2, 2] });
  expect(corrected.info.warnings.at(-1)).toMatch(/^overriddenOrientation: the file's \w+ says LPS; it was read as RPS/);
  expect(await inspectVolume(SAMPLE, options)).toMatchObject({ orientation: 'RPS' });
  const [mirrored, plain] = [corrected, await loadVolume(SAMPLE)].map((volume) => preprocess(volume));
  expect(same((await mirrored)?.data() as Float32Array, (await plain)?.data() as Float32Array)).toBe(false);
  // No warning is needed for what the file says already.
  const agreeing = await loadVolume(SAMPLE, { orientation: 'LPS', overrideOrientation: true });
  expect(agreeing.info.warnings.filter((warning) => warning.startsWith('overridden'))).toEqual([]);
});

test('the name of a file or folder never changes what is read', async () => {
  const expected = (await preprocess(await loadVolume(SAMPLE))).data();
  for (const name of ['healthy', 'unhealthy', 'left', 'right', 'HealthyBrains', 'flipped']) {
    mkdirSync(join(dir, name), { recursive: true });
    const path = join(dir, name, `${name}_preprocessed.nii.gz`);
    copyFileSync(SAMPLE, path);
    expect(same((await preprocess(await loadVolume(path))).data(), expected)).toBe(true);
  }
});

test('a marker on the patient left ends at low w, however it is stored', async () => {
  // 4 x 4 x 4 voxels stored as LPS: index i runs to the patient's left.
  const voxels = new Float32Array(64).map((_, i) => i / 640);
  const leftmost = 3; // i = 3, j = 0, k = 0
  voxels[leftmost] = 1;
  const volume = Volume.fromArray(voxels, [4, 4, 4], [-1, 0, 0, 0, 0, -1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]);
  expect(volume.info.orientation).toBe('LPS');
  const out = (await preprocess(volume, { size: [4, 4, 4], upperPercentile: 100 })).data();
  // D to Superior, H to Anterior, W to Right: bottom, and the front row (j = 0 is anterior in LPS), lowest w.
  expect(out.indexOf(1)).toBe((0 * 4 + 3) * 4 + 0);
});

test('a 4D file of one volume is read, of more only with an index', async () => {
  await expect(loadVolume(spoiled('one.nii', fourth(1)))).resolves.toBeDefined();
  const path = spoiled('two.nii', fourth(2));
  await expect(loadVolume(path)).rejects.toMatchObject({
    code: 'BRAIN3D_UNSUPPORTED',
    message: expect.stringContaining('--volume-index'),
  });
  await expect(loadVolume(path, { volumeIndex: 1 })).resolves.toBeDefined();
  await expect(loadVolume(path, { volumeIndex: 2 })).rejects.toMatchObject({ code: 'BRAIN3D_USAGE' });
});

test.each([
  ['missing.nii.gz', () => join(dir, 'missing.nii.gz'), 'BRAIN3D_NOT_FOUND', 'missing.nii.gz'],
  ['truncated', () => spoiled('cut.nii', (bytes) => bytes.subarray(0, 5000)), 'BRAIN3D_FORMAT', 'cut.nii'],
  ['wrong magic', () => spoiled('magic.nii', (bytes) => void bytes.write('XXXX', 344)), 'BRAIN3D_FORMAT', 'magic'],
  ['empty', () => spoiled('empty.nii', () => Buffer.alloc(0)), 'BRAIN3D_FORMAT', 'empty.nii'],
  [
    'truncated gzip',
    () => spoiled('cut.nii.gz', (bytes) => gzipSync(bytes).subarray(0, -5)),
    'BRAIN3D_FORMAT',
    'cut.nii.gz',
  ],
])('rejects a file that is %s', async (_title, make, code, message) => {
  await expect(loadVolume(make())).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
});

test('rejects what is no image: constant, and non-finite voxels', async () => {
  const make = (fill: number): Volume => Volume.fromArray(new Float32Array(1000).fill(fill), [10, 10, 10], RAS);
  await expect(preprocess(make(3))).rejects.toMatchObject({ code: 'BRAIN3D_VOLUME' });
  await expect(preprocess(make(Number.NaN))).rejects.toMatchObject({
    code: 'BRAIN3D_VOLUME',
    message: expect.stringContaining('1000 of 1000'),
  });
});

test('rejects arrays that do not fit their shape or affine', () => {
  expect(() => Volume.fromArray(new Float32Array(7), [2, 2, 2], RAS)).toThrow(/expected 8 voxels/);
  expect(() => Volume.fromArray(new Float32Array(8), [2, 2, 2], RAS.slice(1))).toThrow(/sixteen/);
  expect(() => Volume.fromArray(new Float32Array(8), [2, 2, 2], new Array(16).fill(0))).toThrow(/independent axes/);
  expect(() => Volume.fromArray([1] as never, [1, 1, 1], RAS)).toThrow(TypeError);
});

test('writes what reads back as the same volume, and only for its owner', async () => {
  const volume = await preprocess(await loadVolume(SAMPLE), { size: [16, 20, 24] });
  for (const name of ['out.nii', 'out.nii.gz']) {
    const path = join(dir, name);
    await volume.write(path);
    const back = await loadVolume(path);
    expect(same(back.data(), volume.data())).toBe(true);
    expect(back.info.orientation).toBe('RAS');
    for (const [i, value] of back.info.affine.entries()) expect(value).toBeCloseTo(volume.info.affine[i] as number, 4);
    expect(statSync(path).mode & 0o777).toBe(0o600);
  }
});

test('inspects geometry without voxels', async () => {
  expect(await inspectVolume(SAMPLE)).toMatchObject({ shape: [90, 108, 90], orientation: 'LPS', datatype: 'uint8' });
});

test('rejects unknown options by the nearest name', async () => {
  await expect(loadVolume(SAMPLE, { orientaton: 'LPS' } as never)).rejects.toThrow("did you mean 'orientation'?");
  const volume = await loadVolume(SAMPLE);
  await expect(preprocess(volume, { size: [0, 1, 1] })).rejects.toBeInstanceOf(RangeError);
});
