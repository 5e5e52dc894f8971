/** A report must not depend on these things, over random changes of one simulated patient, as a head and as a stripped brain. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Brain3D, loadVolume, simulateCohort, Volume } from 'brain3d';
import fc from 'fast-check';
import { MODEL } from '../support/child';

const SUBJECT = 'Simulated_Training_001';
const ROUNDS = 3;
let dir: string;
let model: Brain3D;
const volumes: Record<string, Volume> = {};
const reports: Record<string, string> = {};

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'brain3d-'));
  model = await Brain3D.load({ model: MODEL });
  for (const kind of ['head', 'brain']) {
    const out = join(dir, kind);
    await simulateCohort({ out, subjects: 1, seed: 3, grid: 'small', keepSkull: kind === 'head' });
    const volume = await loadVolume(join(out, 'brats', SUBJECT, `${SUBJECT}_flair.nii.gz`));
    volumes[kind] = volume;
    reports[kind] = await report(volume);
  }
});
afterAll(async () => {
  await model.dispose();
  rmSync(dir, { recursive: true, force: true });
});

const report = async (volume: Volume): Promise<string> => (await model.generate(volume, { greedy: true })).text;
const shapeOf = (volume: Volume) => [...volume.info.shape] as [number, number, number];
/** The volume with other voxels. */
const remade = (volume: Volume, voxels: Float32Array) =>
  Volume.fromArray(voxels, shapeOf(volume), [...volume.info.affine]);

/** Array axes (D, H, W) in another order, some reversed, and the affine that says so. */
function stored(volume: Volume, order: number[], reversed: boolean[]): Volume {
  const from = shapeOf(volume);
  const voxels = volume.data();
  const shape = order.map((axis) => from[axis] as number) as [number, number, number];
  const strides = [from[1] * from[2], from[2], 1];
  const out = new Float32Array(voxels.length);
  let index = 0;
  for (let a = 0; a < shape[0]; a++)
    for (let b = 0; b < shape[1]; b++)
      for (let c = 0; c < shape[2]; c++) {
        const at = [a, b, c].map((position, axis) =>
          reversed[axis] ? (shape[axis] as number) - 1 - position : position,
        );
        out[index++] = voxels[
          at.reduce((sum, p, axis) => sum + p * (strides[order[axis] as number] as number), 0)
        ] as number;
      }
  // Column i of the affine belongs to array axis 2 - i.
  const affine = [...volume.info.affine];
  const next = [...affine];
  for (let row = 0; row < 3; row++) {
    let origin = affine[4 * row + 3] as number;
    for (let axis = 0; axis < 3; axis++) {
      const step = affine[4 * row + 2 - (order[axis] as number)] as number;
      next[4 * row + 2 - axis] = reversed[axis] ? -step : step;
      if (reversed[axis]) origin += step * ((shape[axis] as number) - 1);
    }
    next[4 * row + 3] = origin;
  }
  return Volume.fromArray(out, shape, next);
}

const holds = (property: fc.IAsyncPropertyWithHooks<unknown[]>) =>
  fc.assert(property as fc.IAsyncProperty<unknown[]>, { numRuns: ROUNDS, seed: 14 });

describe.each(['head', 'brain'])('the report of a %s', (kind) => {
  const original = () => volumes[kind] as Volume;
  const expected = () => reports[kind] as string;

  test('says something of the lesion', () => expect(expected()).toMatch(/lesion|tumou?r|mass/i));

  test('does not depend on a voxel outside of the brain', async () => {
    // The first is what an audit found to turn a tumour into "unremarkable".
    for (const extreme of [-32768, -1000, -150, 32767]) {
      const voxels = original().data();
      voxels[0] = extreme;
      expect(await report(remade(original(), voxels))).toBe(expected());
    }
  });

  test('does not depend on an affine scaling of the intensities', () =>
    holds(
      fc.asyncProperty(fc.integer({ min: -8, max: 8 }), fc.integer({ min: -2000, max: 2000 }), async (power, shift) => {
        const scaled = original()
          .data()
          .map((value) => value * 2 ** power + shift * 2 ** power);
        expect(await report(remade(original(), scaled))).toBe(expected());
      }) as never,
    ));

  test('does not depend on the order and the direction of the axes', () =>
    holds(
      fc.asyncProperty(
        fc.shuffledSubarray([0, 1, 2], { minLength: 3, maxLength: 3 }),
        fc.tuple(fc.boolean(), fc.boolean(), fc.boolean()),
        async (order, reversed) => {
          expect(await report(stored(original(), order, reversed))).toBe(expected());
        },
      ) as never,
    ));

  test('does not depend on what else is in the batch', async () => {
    const all = await model.generate([volumes.brain as Volume, original(), volumes.head as Volume], { greedy: true });
    expect(all[1]?.text).toBe(expected());
  });
});

test('a stripped brain may have any background, and any padding to a square', async () => {
  const brain = volumes.brain as Volume;
  const [depth, height, width] = shapeOf(brain);
  const voxels = brain.data();
  for (const background of [-1000, 0.5, 1e5])
    expect(
      await report(
        remade(
          brain,
          voxels.map((value) => (value === 0 ? background : value)),
        ),
      ),
    ).toBe(reports.brain);
  // Columns that hold no brain are cut off on either side; brain3d pads the volume to a square again.
  const isEmpty = (w: number) => {
    for (let row = 0; row < depth * height; row++) if (voxels[row * width + w] !== 0) return false;
    return true;
  };
  let columns = 0;
  while (isEmpty(columns) && isEmpty(width - 1 - columns)) columns++;
  expect(columns).toBeGreaterThan(4);
  const kept = width - 2 * columns;
  const cut = new Float32Array(depth * height * kept);
  for (let row = 0; row < depth * height; row++)
    cut.set(voxels.subarray(row * width + columns, (row + 1) * width - columns), row * kept);
  const affine = [...brain.info.affine];
  for (let row = 0; row < 3; row++)
    affine[4 * row + 3] = (affine[4 * row + 3] as number) + columns * (affine[4 * row] as number);
  for (const shift of [0, -700]) {
    const shifted = cut.map((value) => value + shift);
    expect(await report(Volume.fromArray(shifted, [depth, height, kept], affine))).toBe(reports.brain);
  }
});
