import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'brain3d';
import { ROOT, SAMPLE, TINY_MODEL } from '../support/cli';
import { writeDicomSeries } from '../support/dicom';

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
