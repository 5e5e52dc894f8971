/** A converted volume against the slices that it came from, and the converter's messages. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type SliceStack, stackSlices } from '../../../dist/dicom/geometry';
import { translate } from '../../../dist/dicom/messages';
import { type DicomSlice, readDicomFile } from '../../../dist/dicom/slice';
import { conversionFault } from '../../../dist/dicom/verify';
import { type DicomElement, double, sequence, writeDicomSeries } from '../../support/dicom';
import { CANARY, COLUMNS, pixels, ROWS, SLICES, series } from '../../support/dicom-flair';

let directory: string;
let folder: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'brain3d-conversion-'));
  folder = join(directory, 'scan');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

test('frames of an enhanced image are slices', () => {
  const at = (z: number) => ({ '00209113': sequence({ '00200032': ['DS', `-36\\-50\\${z}`] }) });
  const shared = {
    '00209116': sequence({ '00200037': ['DS', '1\\0\\0\\0\\1\\0'] }),
    '00289110': sequence({ '00280030': ['DS', '2.5\\2'] }),
    '00189115': sequence({ '00189009': ['CS', 'YES'], '00189079': double(2500) }),
    '00189112': sequence({ '00180080': ['DS', '9000'] }),
    '00189114': sequence({ '00189082': double(100) }),
  } as Record<string, DicomElement>;
  const enhanced = series({
    slices: [Uint16Array.from([...pixels(0), ...pixels(1), ...pixels(2)])],
    set: () => ({
      ...Object.fromEntries(
        ['00180020', '00180080', '00180081', '00180082', '00200032', '00200037', '00280030'].map((tag) => [tag, null]),
      ),
      '00080016': ['UI', '1.2.840.10008.5.1.4.1.1.4.1'],
      '00280008': ['IS', '3'],
      '52009229': sequence(shared),
      '52009230': sequence(at(4), at(-2), at(10)),
    }),
  });
  writeDicomSeries(folder, enhanced);
  const slices = readDicomFile(fileIn(folder), 0) as DicomSlice[];
  const stack = stackSlices(slices) as SliceStack;
  expect(stack.slices.map(({ frame }) => frame)).toEqual([1, 0, 2]);
  expect(stack.shape).toEqual([COLUMNS, ROWS, 3]);
  expect(stack.affine).toEqual([-2, 0, 0, 36, 0, -2.5, 0, 50, 0, 0, 6, -2, 0, 0, 0, 1]);
  expect(slices[1]?.made).toMatchObject({
    inversionTimeMs: 2500,
    repetitionTimeMs: 9000,
    echoTimeMs: 100,
    hasInversion: true,
  });
  expect(slices[1]?.pixels?.offset).toBe((slices[0]?.pixels?.offset ?? 0) + 2 * ROWS * COLUMNS);
});

function fileIn(dir: string): Uint8Array {
  return readFileSync(join(dir, readdirSync(dir)[0] as string));
}

describe('a converted volume is compared with its slices', () => {
  /** A NIfTI-1 file of the series as dcm2niix writes it: rows from posterior to anterior, and what `change` does. */
  function convert(
    change: {
      voxel?: (i: number, j: number, k: number) => [number, number, number];
      affine?: number[];
      volumes?: number;
      code?: number;
    } = {},
  ): Uint8Array {
    const nifti = Buffer.alloc(352 + 2 * SLICES * ROWS * COLUMNS);
    const dim = [change.volumes === undefined ? 3 : 4, COLUMNS, ROWS, SLICES, change.volumes ?? 1];
    for (const [index, value] of dim.entries()) nifti.writeInt16LE(value, 40 + 2 * index);
    nifti.writeInt16LE(512, 70);
    nifti.writeFloatLE(352, 108);
    nifti.writeInt16LE(change.code ?? 1, 254);
    const affine = change.affine ?? [-2, 0, 0, 36, 0, 2.5, 0, 50 - 2.5 * (ROWS - 1), 0, 0, 6, -40];
    for (const [index, value] of affine.entries()) nifti.writeFloatLE(value, 280 + 4 * index);
    const slices = Array.from({ length: SLICES }, (_, k) => pixels(k));
    for (let k = 0; k < SLICES; k++)
      for (let j = 0; j < ROWS; j++)
        for (let i = 0; i < COLUMNS; i++) {
          const [c, r, s] = change.voxel?.(i, j, k) ?? [i, ROWS - 1 - j, k];
          nifti.writeUInt16LE(
            (slices[s] as Uint16Array)[r * COLUMNS + c] as number,
            352 + 2 * (i + COLUMNS * (j + ROWS * k)),
          );
        }
    return nifti;
  }

  test('and found the same, or not', () => {
    writeDicomSeries(folder, series());
    const files = readdirSync(folder).map((name) => readFileSync(join(folder, name)));
    const stack = stackSlices(files.flatMap((file, index) => readDicomFile(file, index) as DicomSlice[])) as SliceStack;
    const fault = (nifti: Uint8Array) => conversionFault(stack, (file) => files[file] as Buffer, nifti);
    expect(fault(convert())).toBeNull();
    // The same volume, stored from left to right.
    expect(
      fault(
        convert({
          voxel: (i, j, k) => [COLUMNS - 1 - i, ROWS - 1 - j, k],
          affine: [2, 0, 0, 36 - 2 * (COLUMNS - 1), 0, 2.5, 0, 50 - 2.5 * (ROWS - 1), 0, 0, 6, -40],
        }),
      ),
    ).toBeNull();
    const places = 'its voxels are not those of the slices at their places';
    expect(fault(convert({ voxel: (i, j, k) => [COLUMNS - 1 - i, ROWS - 1 - j, k] }))).toBe(places); // left is right
    expect(fault(convert({ voxel: (i, j, k) => [i, j, k] }))).toBe(places);
    expect(fault(convert({ voxel: (i, j, k) => [i, ROWS - 1 - j, SLICES - 1 - k] }))).toBe(places);
    expect(fault(convert({ voxel: (i, j, k) => [i, ROWS - 1 - j, 2 * (k >> 1)] }))).toBe(places); // slices twice
    const lies = 'it does not lie where the slices lie, or has other sizes';
    expect(fault(convert({ affine: [2, 0, 0, -36, 0, 2.5, 0, 50 - 2.5 * (ROWS - 1), 0, 0, 6, -40] }))).toBe(lies);
    expect(fault(convert({ affine: [-2, 0, 0, 36, 0, 2.5, 0, 50 - 2.5 * (ROWS - 1), 0, 0, 6, -34] }))).toBe(lies);
    expect(fault(convert({ affine: Array.from({ length: 12 }, () => 0) }))).toBe(lies);
    expect(fault(convert({ code: 0 }))).toBe('it does not say how it lies in the patient');
    expect(fault(convert({ volumes: 2 }))).toBe('it has 2 volumes, expected one');
  });
});

test("the converter's messages are not passed on: known ones in our words, others by their number", () => {
  const said = translate([
    'Found 20 DICOM file(s)',
    'Warning: Instance number (0020,0013) not found: /input/0000',
    'Warning: Siemens MoCo? Bogus slice timing (range -1..-1, TR=9000 seconds)',
    `Warning: interpolated protocol '${CANARY}' may be unsuitable for dwidenoise/mrdegibbs. ${CANARY}`,
    `Warning: interpolated protocol '${CANARY}' may be unsuitable for dwidenoise/mrdegibbs. ${CANARY}`,
    `Warning: something new about '${CANARY}'`,
    `Error: ${CANARY}`,
  ]);
  expect(said).toEqual({
    fault: null,
    warnings: [
      'interpolated: the scanner interpolated the slices in plane',
      expect.stringMatching(/^converter: 2 other messages of dcm2niix, not shown/),
    ],
  });
  expect(
    translate(['Warning: Unable to determine slice direction: please check whether slices are flipped']).fault,
  ).toMatch(/could not determine how the slices follow/);
  expect(translate([])).toEqual({ fault: null, warnings: [] });
});
