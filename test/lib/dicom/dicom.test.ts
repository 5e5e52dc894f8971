import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadVolume, preprocess, Volume } from 'brain3d';
import { type DicomSeries, writeDicomSeries } from '../../support/dicom';

/** Different along every axis, so that no two axes can be confused. */
const [SLICES, ROWS, COLUMNS] = [20, 28, 24];
const SPACING = { column: 2, row: 2.5, slice: 3 };
const CORNER = [-21, -30, -25] as const;
const SLOPE = 0.5;
const INTERCEPT = 10;

/** An ellipsoid with a bright ball on the patient's left, anterior, high. Stored values, (slice, row, column). */
function phantom(): Uint16Array[] {
  return Array.from({ length: SLICES }, (_, k) => {
    const slice = new Uint16Array(ROWS * COLUMNS);
    for (let r = 0; r < ROWS; r++) {
      for (let c = 0; c < COLUMNS; c++) {
        const at = (centre: [number, number, number], radii: [number, number, number]) =>
          ((k - centre[0]) / radii[0]) ** 2 + ((r - centre[1]) / radii[1]) ** 2 + ((c - centre[2]) / radii[2]) ** 2 <=
          1;
        // In LPS, columns grow to the patient's left, rows to posterior.
        if (at([10, 14, 12], [8, 11, 10])) slice[r * COLUMNS + c] = 400 + 3 * k + 2 * r + c;
        if (at([14, 8, 17], [4, 4, 4])) slice[r * COLUMNS + c] = 3000;
      }
    }
    return slice;
  });
}

function axialSeries(slices: Uint16Array[], more: Partial<DicomSeries> = {}): DicomSeries {
  return {
    slices,
    rows: ROWS,
    columns: COLUMNS,
    orientation: [1, 0, 0, 0, 1, 0],
    positions: slices.map((_, k) => [CORNER[0], CORNER[1], CORNER[2] + k * SPACING.slice]),
    pixelSpacing: [SPACING.row, SPACING.column],
    sliceThickness: SPACING.slice,
    rescaleSlope: SLOPE,
    rescaleIntercept: INTERCEPT,
    ...more,
  };
}

let directory: string;
const folder = (name: string) => join(directory, name);
/** Converted files of this process's series that were left behind. */
const AXIAL = `axial-${process.pid}`;
const leftBehind = () =>
  readdirSync(tmpdir()).filter(
    (name) => name.startsWith('brain3d-') && existsSync(join(tmpdir(), name, `${AXIAL}.nii`)),
  );

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'test-dicom-'));
  writeDicomSeries(folder(AXIAL), axialSeries(phantom(), { patientName: 'PHI_CANARY' }));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe('a folder of DICOM slices', () => {
  it('is the volume that its headers describe, voxel for voxel', async () => {
    const fromDicom = await loadVolume(folder(AXIAL));
    const values = phantom().flatMap((slice) => Array.from(slice, (stored) => stored * SLOPE + INTERCEPT));
    // RAS: x and y change sign.
    const affine = [
      -SPACING.column,
      0,
      0,
      -CORNER[0],
      0,
      -SPACING.row,
      0,
      -CORNER[1],
      0,
      0,
      SPACING.slice,
      CORNER[2],
      0,
      0,
      0,
      1,
    ];
    const fromArray = Volume.fromArray(Float32Array.from(values), [SLICES, ROWS, COLUMNS], affine);
    const [one, other] = await Promise.all([preprocess(fromDicom), preprocess(fromArray)]);
    one.info.affine.forEach((value, index) => {
      expect(value).toBeCloseTo(other.info.affine[index] as number, 4);
    });
    const [a, b] = [one.data(), other.data()];
    expect(a.length).toBe(b.length);
    let largest = 0;
    for (let i = 0; i < a.length; i++) largest = Math.max(largest, Math.abs((a[i] as number) - (b[i] as number)));
    expect(largest).toBeLessThan(1e-5);
  });

  it("puts a marker on the patient's left on the low side of W", async () => {
    const volume = await preprocess(await loadVolume(folder(AXIAL)));
    const [depth, height, width] = volume.info.shape;
    const voxels = volume.data();
    const bright = [...voxels.keys()].filter((index) => (voxels[index] as number) > 0.9);
    const mean = (coordinate: (index: number) => number) =>
      bright.reduce((sum, index) => sum + coordinate(index), 0) / bright.length;
    expect(mean((index) => index % width)).toBeLessThan(width * 0.4);
    expect(mean((index) => Math.floor(index / width) % height)).toBeGreaterThan(height * 0.6);
    expect(mean((index) => Math.floor(index / (width * height)))).toBeGreaterThan(depth * 0.6);
  });

  it('leaves nothing in the temporary directory and nothing of the patient in the result', async () => {
    const volume = await loadVolume(folder(AXIAL));
    expect(leftBehind()).toEqual([]);
    expect(JSON.stringify(volume.info)).not.toContain('PHI_CANARY');
  });

  it('is not read through links or in folders below', async () => {
    mkdirSync(folder('links/below'), { recursive: true });
    for (const name of readdirSync(folder(AXIAL))) symlinkSync(join(folder(AXIAL), name), join(folder('links'), name));
    await expect(loadVolume(folder('links'))).rejects.toMatchObject({
      code: 'BRAIN3D_FORMAT',
      message: expect.stringMatching(
        /'links' .* holds no files, only 1 folders: give the one that holds the slices; it holds 20 symbolic links, which are not/,
      ),
    });
    // A link among files may be a slice of them.
    writeDicomSeries(folder('some-links'), axialSeries(phantom().slice(1)));
    symlinkSync('nowhere', join(folder('some-links'), 'IM0'));
    await expect(loadVolume(folder('some-links'))).rejects.toMatchObject({
      code: 'BRAIN3D_FORMAT',
      message: expect.stringMatching(/it holds 1 symbolic links, which are not followed/),
    });
  });
});

describe('rejects', () => {
  it('two series, naming both without patient data', async () => {
    const series = { patientName: 'PHI_CANARY' };
    writeDicomSeries(folder('two'), axialSeries(phantom(), { ...series, seriesNumber: 4 }));
    writeDicomSeries(folder('two'), axialSeries(phantom(), { ...series, seriesNumber: 9 }));
    const failure = await loadVolume(folder('two')).catch((error: Error) => error);
    expect(failure).toMatchObject({ code: 'BRAIN3D_UNSUPPORTED', file: 'two' });
    expect((failure as Error).message).toMatch(/holds 2 images, expected one.*4 \(24 x 28 x 20\), 9 \(24 x 28 x 20\)/);
    expect((failure as Error).message).not.toContain('PHI_CANARY');
  });

  it('a series with a slice missing', async () => {
    const series = axialSeries(phantom());
    writeDicomSeries(folder('gap'), {
      ...series,
      slices: series.slices.toSpliced(9, 1),
      positions: series.positions.toSpliced(9, 1),
    });
    await expect(loadVolume(folder('gap'))).rejects.toMatchObject({
      code: 'BRAIN3D_FORMAT',
      field: 'ImagePositionPatient',
      message: expect.stringMatching(/'gap' cannot be converted: a slice is missing: of 19 slices most lie 3 mm apart/),
    });
  });

  it('a file that makes dcm2niix fail, and works on', async () => {
    writeDicomSeries(folder('cut'), axialSeries(phantom()));
    for (const name of readdirSync(folder('cut'))) truncateSync(join(folder('cut'), name), 1000);
    await expect(loadVolume(folder('cut'))).rejects.toMatchObject({ code: 'BRAIN3D_FORMAT', file: 'cut' });
    await expect(loadVolume(folder(AXIAL))).resolves.toBeDefined();
  });

  it('a folder without DICOM', async () => {
    mkdirSync(folder('texts'));
    writeFileSync(join(folder('texts'), 'notes.txt'), 'no slices here');
    await expect(loadVolume(folder('texts'))).rejects.toMatchObject({
      code: 'BRAIN3D_FORMAT',
      file: 'texts',
      message: expect.stringMatching(/'texts' cannot be converted: none of its 1 files is a DICOM file/),
    });
  });

  it('an empty folder', async () => {
    mkdirSync(folder('empty'));
    await expect(loadVolume(folder('empty'))).rejects.toMatchObject({
      code: 'BRAIN3D_FORMAT',
      message: expect.stringMatching(/holds no files/),
    });
  });

  it('more slices than a volume can have', async () => {
    mkdirSync(folder('many'));
    for (let i = 0; i <= 4096; i++) writeFileSync(join(folder('many'), String(i)), '');
    await expect(loadVolume(folder('many'))).rejects.toMatchObject({
      code: 'BRAIN3D_UNSUPPORTED',
      message: "the folder 'many' holds 4097 files, more than the limit of 4096",
    });
  });

  it('with the reason of an abort, cleaning up', async () => {
    const controller = new AbortController();
    const loading = loadVolume(folder(AXIAL), { signal: controller.signal });
    setTimeout(() => controller.abort(new Error('enough')), 20);
    await expect(loading).rejects.toThrow('enough');
    expect(leftBehind()).toEqual([]);
  });
});
