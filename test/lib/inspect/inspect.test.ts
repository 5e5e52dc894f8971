import { copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { inspect, inspectVolume, loadVolume } from 'brain3d';
import { ROOT, SAMPLE, TINY_MODEL } from '../../support/cli';
import { writeDicomSeries } from '../../support/dicom';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'test-inspect-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe('inspect', () => {
  it('describes a NIfTI volume', async () => {
    const inspection = await inspect(SAMPLE);
    expect(inspection).toMatchObject({
      kind: 'volume',
      source: 'nifti',
      name: 'colin27_t1_2mm.nii.gz',
      volume: { shape: [90, 108, 90], spacingMm: [2, 2, 2], orientation: 'LPS', datatype: 'uint8' },
    });
  });

  it('describes a folder of DICOM slices', async () => {
    const folder = join(directory, 'slices');
    const slices = Array.from({ length: 6 }, (_, k) => Uint16Array.from({ length: 64 }, (_, i) => 100 * k + i));
    writeDicomSeries(folder, {
      slices,
      rows: 8,
      columns: 8,
      orientation: [1, 0, 0, 0, 1, 0],
      positions: slices.map((_, k) => [0, 0, 4 * k]),
      pixelSpacing: [2, 2],
      sliceThickness: 4,
    });
    expect(await inspect(folder)).toMatchObject({
      kind: 'volume',
      source: 'dicom',
      name: 'slices',
      volume: { shape: [6, 8, 8], spacingMm: [2, 2, 4] },
    });
  });

  it('describes a checkpoint whose backbones are in place', async () => {
    const inspection = await inspect(TINY_MODEL);
    expect(inspection).toMatchObject({
      kind: 'checkpoint',
      checkpoint: { recipe: { name: 'paper', numVisualTokens: 32 }, hasAdapter: true },
      problems: [],
    });
  });

  it('says what would keep a checkpoint from being loaded', async () => {
    const lonely = join(directory, 'a', 'lonely');
    mkdirSync(join(directory, 'a'));
    cpSync(TINY_MODEL, lonely, { recursive: true });
    const inspection = await inspect(lonely);
    expect(inspection.kind === 'checkpoint' && inspection.problems).toEqual([
      expect.stringMatching(/vision backbone 'vision' is not where brain3d.json says/),
      expect.stringMatching(/language backbone 'language' is not where brain3d.json says/),
    ]);
  });

  it.each([
    ['vision', 'siglip'],
    ['language', 'gemma3_text'],
  ])('describes the %s backbone', async (name, modelType) => {
    const inspection = await inspect(join(ROOT, 'models', 'tiny', name));
    expect(inspection).toMatchObject({
      kind: 'backbone',
      name,
      backbone: { modelType, weightFiles: ['model.safetensors'] },
    });
    expect(inspection.kind === 'backbone' && inspection.backbone.parameters).toBeGreaterThan(1e6);
  });
});

test('a byte order mark before brain3d.json is passed over', async () => {
  const marked = join(directory, 'marked');
  cpSync(join(TINY_MODEL, '..'), marked, { recursive: true });
  const file = join(marked, 'checkpoint', 'brain3d.json');
  writeFileSync(file, `\uFEFF${readFileSync(file, 'utf8')}`);
  expect(await inspect(join(marked, 'checkpoint'))).toMatchObject({ kind: 'checkpoint', problems: [] });
});

// Real scans are not part of the project; they lie beside a checkout of those who have them.
const REAL = join(ROOT, '..', 'shared', 'real');
const [testReal, why] = existsSync(REAL) ? [test, ''] : [test.skip, ' (skipped: ../shared/real is not there)'];
testReal(`real scans whose geometry was lost say so, and no others${why}`, async () => {
  const warned = async (path: string): Promise<string[]> => {
    const { warnings } = await inspectVolume(join(REAL, path));
    return warnings.filter((warning) => /^(?:identityAffine|cornerOrigin|centreOrigin|implausibleAxes)/.test(warning));
  };
  for (const path of ['FLAIR_registered/flair.nii.gz', 'patient2-ax_t2/t2.nii.gz'])
    expect(await warned(path)).toEqual([expect.stringMatching(/^identityAffine: .* as no head is/)]);
  for (const name of [
    '01660',
    'pat5',
    'Brats18_CBICA_AAB_1',
    'DU-7294-bet',
    'cross-p19',
    'sample1',
    'long-p19-s2',
    'BRAINIX',
  ])
    expect(await warned(join(name, 'flair.nii.gz'))).toEqual([]);
});

describe('inspect rejects', () => {
  it('what does not exist', async () => {
    await expect(inspect(join(directory, 'nowhere'))).rejects.toMatchObject({
      code: 'BRAIN3D_NOT_FOUND',
      message: expect.stringMatching(/expected a volume .*, a checkpoint or a backbone directory, but 'nowhere'/),
    });
  });

  it('a file of another kind', async () => {
    writeFileSync(join(directory, 'notes.txt'), 'text');
    await expect(inspect(join(directory, 'notes.txt'))).rejects.toMatchObject({
      code: 'BRAIN3D_UNSUPPORTED',
      message: expect.stringMatching(/got 'notes.txt': it is a file that does not end in .nii or .nii.gz/),
    });
  });

  it.each<[string, string | Buffer, RegExp]>([
    ['slice.dcm', `${'\0'.repeat(128)}DICM`, /a DICOM file; give the folder that holds the slices of its series/],
    ['scan.mgz', gzipSync(Buffer.from('0000000100000100000001000000010000000001000000030000', 'hex')), /mri_convert/],
    ['scan.mha', 'ObjectType = Image\nNDims = 3\n', /a MetaImage file/],
    ['scan.nrrd', 'NRRD0004\n', /an NRRD file; convert it/],
    ['scan.mnc', '\x89HDF\r\n', /MINC/],
  ])('a format that is named by its contents: %s', async (name, contents, message) => {
    writeFileSync(join(directory, name), typeof contents === 'string' ? Buffer.from(contents, 'latin1') : contents);
    for (const read of [inspect, loadVolume, inspectVolume])
      await expect(read(join(directory, name))).rejects.toMatchObject({
        code: expect.stringMatching(/^BRAIN3D_(?:FORMAT|UNSUPPORTED)$/),
        message: expect.stringMatching(message),
      });
  });

  it('a folder that is named like a NIfTI file, or holds one', async () => {
    mkdirSync(join(directory, 'scan.nii'));
    await expect(loadVolume(join(directory, 'scan.nii'))).rejects.toMatchObject({
      message: expect.stringMatching(/'scan.nii' is a folder and cannot be converted: it holds no files/),
    });
    copyFileSync(SAMPLE, join(directory, 'scan.nii', 'SCAN.NII.GZ'));
    writeFileSync(join(directory, 'scan.nii', 'scan.json'), '{}');
    await expect(loadVolume(join(directory, 'scan.nii'))).rejects.toMatchObject({
      code: 'BRAIN3D_FORMAT',
      message: expect.stringMatching(/it holds a NIfTI file: give that/),
    });
  });

  it('a directory of another kind', async () => {
    mkdirSync(join(directory, 'other'));
    writeFileSync(join(directory, 'other', 'notes.txt'), 'text');
    await expect(inspect(join(directory, 'other'))).rejects.toMatchObject({
      code: 'BRAIN3D_UNSUPPORTED',
      message: expect.stringMatching(/'other': it has no brain3d.json and no config.json, and .* DICOM/),
    });
  });

  it('an option that it does not have', async () => {
    await expect(inspect(SAMPLE, { orientatoin: 'RAS' } as object)).rejects.toThrow(/did you mean 'orientation'/);
  });
});
