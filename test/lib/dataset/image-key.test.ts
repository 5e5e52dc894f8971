/** Keys of images: the same for a scan however it is saved, others for other scans. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { loadVolume, simulateSubject, Volume } from 'brain3d';
import { SplitMix64 } from '../../../lib/base/rng';
import { imageKey } from '../../../lib/dataset/image-key';

type Triple = [number, number, number];
const SHAPE: Triple = [28, 32, 36];

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'brain3d-image-key-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const keyOf = (volume: Volume) =>
  imageKey({ voxels: volume.data(), shape: volume.info.shape, orientation: volume.info.orientation });

/** Whole numbers from 0 to 999, as a scanner has them: a smooth blob and noise. */
function noisy(seed: number, shape: Triple = SHAPE): Float32Array {
  const random = new SplitMix64(BigInt(seed));
  const [depth, height, width] = shape;
  return new Float32Array(depth * height * width).map((_, index) => {
    const place = [Math.floor(index / (height * width)), Math.floor(index / width) % height, index % width];
    const radius = Math.hypot(...place.map((at, axis) => at / (shape[axis] as number) - 0.5));
    return Math.floor(Math.max(0, 1 - 2 * radius) * 700 + 300 * random.uniform());
  });
}

/** A ball without noise, and a small cube in it at a place. */
function phantom(cube: Triple): Float32Array {
  const [depth, height, width] = SHAPE;
  return new Float32Array(depth * height * width).map((_, index) => {
    const place = [Math.floor(index / (height * width)), Math.floor(index / width) % height, index % width] as Triple;
    const isCube = place.every((at, axis) => Math.abs(at - (cube[axis] as number)) < 2);
    const radius = Math.hypot(...place.map((at, axis) => at - (SHAPE[axis] as number) / 2));
    return isCube ? 900 : radius < 12 ? 400 : 0;
  });
}

const RAS = [1, 0, 0, -20, 0, 1, 0, -20, 0, 0, 1, -20, 0, 0, 0, 1];
const ofVoxels = (voxels: Float32Array, shape = SHAPE) => imageKey({ voxels, shape, orientation: 'RAS' });

/** The same volume with its axes (D, H, W) in another order and direction, and codes that say so. */
function reordered(voxels: Float32Array, order: Triple, flips: [boolean, boolean, boolean]) {
  const shape = order.map((axis) => SHAPE[axis]) as Triple;
  const codes = order.map((axis, place) => (['SI', 'AP', 'RL'][axis] as string)[flips[place] ? 1 : 0]);
  const out = new Float32Array(voxels.length);
  let index = 0;
  for (let d = 0; d < shape[0]; d++)
    for (let h = 0; h < shape[1]; h++)
      for (let w = 0; w < shape[2]; w++) {
        const source: Triple = [0, 0, 0];
        for (const [place, at] of [d, h, w].entries())
          source[order[place] as number] = flips[place] ? (shape[place] as number) - 1 - at : at;
        out[index++] = voxels[(source[0] * SHAPE[1] + source[1]) * SHAPE[2] + source[2]] as number;
      }
  return { voxels: out, shape, orientation: codes.reverse().join('') };
}

const ORDERS: Triple[] = [
  [0, 1, 2],
  [0, 2, 1],
  [1, 0, 2],
  [1, 2, 0],
  [2, 0, 1],
  [2, 1, 0],
];

describe.each<[kind: string, voxels: Float32Array]>([
  ['a scan with noise', noisy(1)],
  ['a phantom without', phantom([18, 20, 22])],
])('the key of %s', (_kind, voxels) => {
  const key = ofVoxels(voxels);

  it('is a digest', () => expect(key).toMatch(/^[0-9a-f]{64}$/));

  it('does not depend on the order and direction of the axes', () => {
    for (const order of ORDERS)
      for (let bits = 0; bits < 8; bits++) {
        const flips = [0, 1, 2].map((bit) => ((bits >> bit) & 1) === 1) as [boolean, boolean, boolean];
        expect(imageKey(reordered(voxels, order, flips))).toBe(key);
      }
  });

  it('does not depend on scale and shift', () => {
    for (const [scale, shift] of [
      [2, 0],
      [1, -1000],
      [0.37, 12.5],
      [1e-3, 0],
      [1 / 213.7, -1.9],
    ] as const)
      expect(ofVoxels(voxels.map((value) => scale * value + shift))).toBe(key);
  });

  it('does not depend on the file: name, compression, datatype, description', async () => {
    const files = [
      join(dir, 'a.nii'),
      join(dir, 'b.nii.gz'),
      join(dir, 'c.nii'),
      join(dir, 'd.nii'),
      join(dir, 'e.nii.gz'),
    ];
    const volume = Volume.fromArray(voxels, SHAPE, RAS);
    await volume.write(files[0] as string, { datatype: 'float32' });
    await volume.write(files[1] as string, { datatype: 'int16' });
    await volume.write(files[2] as string, { datatype: 'int16' });
    const bytes = readFileSync(files[2] as string);
    bytes.write('another description', 148);
    writeFileSync(files[3] as string, bytes);
    writeFileSync(files[4] as string, gzipSync(bytes));
    for (const file of files) expect(keyOf(await loadVolume(file))).toBe(key);
  });
});

it('survives the rounding of float32 where values are no whole numbers', () => {
  const values = noisy(3).map((value, index) => value + 0.31 * Math.sin(index));
  for (const [scale, shift] of [
    [0.37, 12.5],
    [1 / 213.7, -1.9],
    [2.5, -700],
  ] as const)
    expect(ofVoxels(values.map((value) => scale * value + shift))).toBe(ofVoxels(values));
});

it('differs between scans, and between phantoms that differ by a step of a small cube', () => {
  const keys = Array.from({ length: 20 }, (_, seed) => ofVoxels(noisy(seed + 10)));
  for (let d = 14; d < 22; d++) for (let w = 18; w < 26; w++) keys.push(ofVoxels(phantom([d, 20, w])));
  expect(new Set(keys).size).toBe(20 + 64);
});

it('differs between the mirror images of a scan', () => {
  const scan = noisy(5);
  const { voxels } = reordered(scan, [0, 1, 2], [false, false, true]);
  expect(ofVoxels(voxels)).not.toBe(ofVoxels(scan));
});

it('differs between simulated subjects of one anatomy', async () => {
  const keys = new Set<string | null>();
  for (let seed = 0; seed < 4; seed++)
    keys.add(keyOf((await simulateSubject({ seed, grid: 'small', side: seed > 1 ? 'left' : null })).flair));
  expect(keys.size).toBe(4);
});

it('is null for what is no image', () => {
  expect(ofVoxels(new Float32Array(64).fill(7), [4, 4, 4])).toBeNull();
  expect(
    ofVoxels(
      new Float32Array(64).map((_, index) => (index === 3 ? Number.NaN : index)),
      [4, 4, 4],
    ),
  ).toBeNull();
  expect(
    ofVoxels(
      new Float32Array(64).map((_, index) => index),
      [4, 4, 4],
    ),
  ).toMatch(/^[0-9a-f]{64}$/);
});
