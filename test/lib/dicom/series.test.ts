/** Tells which folders of DICOM slices are one volume and which are a FLAIR image; neither answer quotes a header. */
import { mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Brain3D, type Brain3DError, loadVolume } from 'brain3d';
import { requireModality } from '../../../dist/volume/input-limits';
import { refusalOf } from '../../support/bounds';
import { brain3d, TINY_MODEL } from '../../support/cli';
import { type DicomSeries, double, writeDicomSeries } from '../../support/dicom';
import { CANARY, FLAIR, pixels, type SetElements, SLICES, series } from '../../support/dicom-flair';

let directory: string;
let folder: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'brain3d-series-'));
  folder = join(directory, 'scan');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** The refusal, of which nothing is a header's. */
async function refusal(): Promise<{ code: string; field?: string; message: string }> {
  const error = await loadVolume(folder).then(
    () => Promise.reject(new Error('expected a refusal')),
    (failure: Brain3DError) => failure,
  );
  expect(JSON.stringify({ ...error, message: error.message, cause: String(error.cause) })).not.toContain(CANARY);
  expect(error.message).not.toMatch(/--(?:prefer-affine|volume-index|orientation)/);
  return error;
}
const shift =
  (of: (k: number) => number[]): SetElements =>
  (k) => ({
    '00200032': ['DS', [-36, -50, 6 * k - 40].map((mm, axis) => mm + (of(k)[axis] as number)).join('\\')],
  });

describe('slices that are no volume', () => {
  const copy = (set: SetElements): DicomSeries => series({ prefix: 'XX', set });
  const other = (set: SetElements): DicomSeries => copy((k) => ({ '00080018': ['UI', `1.2.3.${k + 1}`], ...set(k) }));
  test.each<[string, DicomSeries[], RegExp]>([
    [
      'the series twice, as copies',
      [series(), copy(() => ({}))],
      /positions repeat: 18 of its 36 .*copies of the same/,
    ],
    [
      'the series twice, as other images',
      [series(), other(() => ({}))],
      /positions repeat: 18 of its 36 .*more than once/,
    ],
    ['some slices twice', [series(), { ...copy(() => ({})), slices: [pixels(0)] }], /positions repeat: 1 of its 19/],
    ['two echoes', [series(), other(() => ({ '00180081': ['DS', '120'] }))], /positions repeat.*several echoes/],
    [
      'two time points',
      [series(), other(() => ({ '00200100': ['IS', '2'] }))],
      /positions repeat.*several time points/,
    ],
    [
      'two acquisitions',
      [series(), other(() => ({ '00200012': ['IS', '2'] }))],
      /positions repeat.*several acquisitions/,
    ],
    ['two weightings', [series(), other(() => ({ '00189087': double(1000) }))], /positions repeat.*diffusion/],
    ['all at one place', [series({ set: shift((k) => [0, 0, -6 * k]) })], /positions repeat: 17 of its 18/],
    [
      'overlapping ones',
      [series({ set: shift((k) => [0, 0, k % 2 === 1 ? -5.5 : 0]) })],
      /not evenly spaced: from 0.5 to 11.5/,
    ],
    [
      'uneven ones',
      [series({ set: shift((k) => [0, 0, k === 9 ? 1 : 0]) })],
      /not evenly spaced: from 5 to 7 mm apart/,
    ],
    ['a slice missing', [series({ set: shift((k) => [0, 0, k > 9 ? 6 : 0]) })], /a slice is missing/],
    [
      'slices missing',
      [series({ set: shift((k) => [0, 0, k > 9 ? 18 : k > 3 ? 6 : 0]) })],
      /3 slices are missing.*2 pairs/,
    ],
    [
      'a tilted gantry',
      [series({ set: shift((k) => [0, k, 0]) })],
      /shifted against each other \(a tilt of 9.46 degrees/,
    ],
    ['one shifted in plane', [series({ set: shift((k) => [k === 5 ? 3 : 0, 0, 0]) })], /not evenly spaced/],
    ['a single one', [series({ slices: [pixels(0)] })], /holds a single slice/],
    ['a slice of CT', [series({ set: (k) => (k === 7 ? { '00080060': ['CS', 'CT'] } : {}) })], /several modalities/],
    [
      'two sizes',
      [series({ set: (k) => (k === 3 ? { '00280010': ['US', Buffer.from([36, 0])] } : {}) })],
      /several sizes/,
    ],
    [
      'two spacings',
      [series({ set: (k) => (k === 3 ? { '00280030': ['DS', '2.5\\2.1'] } : {}) })],
      /several pixel spacings/,
    ],
    [
      'two frames of reference',
      [series({ set: (k) => ({ '00200052': ['UI', `1.2.${k % 2}`] }) })],
      /frames of reference/,
    ],
    [
      'three directions',
      [series({ set: (k) => (k % 3 === 0 ? { '00200037': ['DS', '0\\1\\0\\0\\0\\-1'] } : {}) })],
      /directions/,
    ],
    ['no positions', [series({ set: () => ({ '00200032': null }) })], /18 of its 18 slices do not say where/],
    ['a position missing', [series({ set: (k) => (k === 4 ? { '00200032': null } : {}) })], /1 of its 18 slices/],
    ['positions of another form', [series({ set: () => ({ '00200032': ['DS', 'x\\y\\z'] }) })], /18 of its 18 slices/],
    ['no orientation', [series({ set: () => ({ '00200037': null }) })], /18 of its 18 slices/],
    [
      'a zero orientation',
      [series({ set: () => ({ '00200037': ['DS', '0\\0\\0\\0\\0\\0'] }) })],
      /no two perpendicular/,
    ],
    [
      'directions that are not perpendicular',
      [series({ orientation: [1, 0, 0, 0.5, 0.866, 0] })],
      /no two perpendicular/,
    ],
  ])('%s', async (_what, all, message) => {
    for (const one of all) writeDicomSeries(folder, one);
    expect(await refusal()).toMatchObject({ code: 'BRAIN3D_FORMAT', message: expect.stringMatching(message) });
  });

  test.each<[string, SetElements, RegExp]>([
    ['mosaics', () => ({ '00080008': ['CS', 'ORIGINAL\\PRIMARY\\M\\MOSAIC'] }), /mosaics/],
    ['frames that do not say where they lie', () => ({ '00280008': ['IS', '4'] }), /several frames/],
    ['colour', () => ({ '00280002': ['US', Buffer.from([3, 0])] }), /colour/],
  ])('%s', async (_what, set, message) => {
    writeDicomSeries(folder, series({ set }));
    expect(await refusal()).toMatchObject({ code: 'BRAIN3D_UNSUPPORTED', message: expect.stringMatching(message) });
  });

  test('a file that is cut off', async () => {
    writeDicomSeries(folder, series());
    truncateSync(join(folder, readdirSync(folder)[4] as string), 2000);
    expect(await refusal()).toMatchObject({
      code: 'BRAIN3D_FORMAT',
      message: expect.stringMatching(/1 of its 18 files/),
    });
  });

  test('what a caller states of NIfTI files does not change it', async () => {
    writeDicomSeries(folder, series());
    writeDicomSeries(
      folder,
      copy(() => ({})),
    );
    for (const options of [
      { preferAffine: 'sform' },
      { preferAffine: 'qform', volumeIndex: 0 },
      { orientation: 'LAS', overrideOrientation: true },
    ] as const)
      await expect(loadVolume(folder, options)).rejects.toMatchObject({
        code: 'BRAIN3D_FORMAT',
        message: expect.stringContaining('positions repeat'),
      });
  });
});

test('a series is read whatever its numbers are, and what is odd about it is said once', async () => {
  const order = (k: number): number => (k * 7) % SLICES;
  writeDicomSeries(folder, series());
  const plain = await loadVolume(folder);
  expect(plain.info.warnings).toEqual([]);
  const odd: [SetElements, RegExp][] = [
    [() => ({ '00200013': null }), /^instanceNumbers: 18 of 18 slices have no instance number/],
    [(k) => ({ '00200013': ['IS', String(order(k))] }), /^instanceNumbers: .* do not count the slices/],
    [() => ({ '00200013': ['IS', '1'] }), /^instanceNumbers: .* do not count the slices/],
  ];
  for (const [set, warning] of odd) {
    rmSync(folder, { recursive: true });
    writeDicomSeries(folder, series({ set }));
    const volume = await loadVolume(folder);
    expect(volume.data()).toEqual(plain.data());
    expect(volume.info.affine).toEqual(plain.info.affine);
    expect(volume.info.warnings).toEqual([expect.stringMatching(warning)]);
  }
  writeFileSync(join(folder, 'notes.txt'), CANARY);
  writeFileSync(join(folder, '.DS_Store'), '');
  expect((await loadVolume(folder)).info.warnings).toContainEqual(
    "otherFiles: 1 of the folder's 19 files hold no DICOM image and were left out",
  );
});

test('rounded positions and interleaved files are no fault', async () => {
  const positions = Array.from({ length: SLICES }, (_, k): [number, number, number] => [
    -36,
    -50,
    Math.round(33.3 * k) / 10,
  ]);
  writeDicomSeries(folder, series({ positions: positions.toReversed(), sliceThickness: 3.33 }));
  const { info } = await loadVolume(folder);
  expect(info.spacingMm[2]).toBeCloseTo(3.33, 1);
  expect(info.orientation).toBe('LAS');
});

describe('slices that are no FLAIR image', () => {
  const type =
    (text: string): SetElements =>
    () => ({ '00080008': ['CS', text] });
  test.each<[string, SetElements, RegExp]>([
    ['CT', () => ({ '00080016': ['UI', '1.2.840.10008.5.1.4.1.1.2'], '00080060': ['CS', 'CT'] }), /modality is CT/],
    ['PET', () => ({ '00080016': ['UI', '1.2.840.10008.5.1.4.1.1.128'], '00080060': ['CS', 'PT'] }), /modality is PT/],
    ['a modality that is a text', () => ({ '00080060': ['CS', CANARY] }), /modality is another one/],
    ['no modality', () => ({ '00080060': null }), /do not say their modality/],
    [
      'a CT image that says MR',
      () => ({ '00080016': ['UI', '1.2.840.10008.5.1.4.1.1.2'] }),
      /no MR images by their SOP class/,
    ],
    [
      'an MR spectrum',
      () => ({ '00080016': ['UI', '1.2.840.10008.5.1.4.1.1.4.2'] }),
      /no MR images by their SOP class/,
    ],
    ['ADC', type('DERIVED\\PRIMARY\\DIFFUSION\\ADC\\ND'), /a map, a phase/],
    ['a trace', type('DERIVED\\PRIMARY\\DIFFUSION\\TRACEW'), /a map, a phase/],
    ['a phase', type('ORIGINAL\\PRIMARY\\P\\ND'), /a map, a phase/],
    ['a localizer', type('ORIGINAL\\PRIMARY\\LOCALIZER'), /a map, a phase/],
    ['a projection', type('DERIVED\\SECONDARY\\MIP'), /a map, a phase/],
    ['a derived image of an unknown kind', type(`DERIVED\\SECONDARY\\${CANARY}`), /not known/],
    ['diffusion', () => ({ '00189087': double(1000) }), /diffusion-weighted/],
    ['an angiography', () => ({ '00180025': ['CS', 'Y'] }), /angiography/],
    ['a gradient echo', () => ({ '00180020': ['CS', 'GR'] }), /gradient-echo/],
    ['an MPRAGE', () => ({ '00180020': ['CS', 'GR\\IR'], '00180082': ['DS', '1100'] }), /gradient-echo/],
    ['echo planar', () => ({ '00180020': ['CS', 'EP\\SE'] }), /echo-planar/],
    ['STIR', () => ({ '00180082': ['DS', '160'] }), /inversion time/],
    ['a T1-weighted FLAIR', () => ({ '00180082': ['DS', '860'], '00180080': ['DS', '2000'] }), /inversion time/],
    [
      'T1',
      () => ({ '00180082': null, '00180020': ['CS', 'SE'], '00180080': ['DS', '500'], '00180081': ['DS', '12'] }),
      /echo time/,
    ],
    ['a short repetition', () => ({ '00180080': ['DS', '700'] }), /repetition time/],
    [
      'time of flight, by its sequence',
      () => ({ '00180020': null, '00180024': ['SH', '*fl3d1r'] }),
      /another sequence/,
    ],
    ['another contrast', () => ({ '00089209': ['CS', 'TOF'] }), /another contrast/],
    ['no magnitude', () => ({ '00089208': ['CS', 'PHASE'] }), /no magnitude/],
  ])('%s', async (_what, set, message) => {
    writeDicomSeries(folder, series({ set }));
    const volume = await loadVolume(folder);
    expect(JSON.stringify(volume.info)).not.toContain(CANARY);
    const refused = await refusalOf(() => requireModality(volume, {}, 'scan'));
    expect(refused).toMatchObject({ code: 'BRAIN3D_UNSUPPORTED', field: 'modality', file: 'scan' });
    expect(refused.message).toMatch(message);
    expect(refused.message).toContain('--allow-modality');
    expect(refused.message).not.toContain(CANARY);
    await requireModality(volume, { allowModality: true });
  });

  test.each<[string, SetElements]>([
    ['a FLAIR', () => ({})],
    ['one whose description says T1', () => ({ '0008103e': ['LO', 'T1 CT ADC'] })],
    [
      'headers that say nothing of the sequence',
      (k) =>
        Object.fromEntries(Object.keys(FLAIR).map((tag) => [tag, k < 0 ? undefined : null])) as Record<string, null>,
    ],
    ['times of zero, which are no times', () => ({ '00180080': ['DS', '0'], '00180081': ['DS', '0'] })],
    [
      'a 3D FLAIR at 3 T',
      () => ({ '00180080': ['DS', '4800'], '00180081': ['DS', '395'], '00180082': ['DS', '1650'] }),
    ],
    ['Philips', () => ({ '00080008': ['CS', 'ORIGINAL\\PRIMARY\\M_IR\\M\\IR'], '00180020': ['CS', 'IR'] })],
  ])('and one that is none of these is taken without a warning: %s', async (_what, set) => {
    writeDicomSeries(folder, series({ set }));
    const volume = await loadVolume(folder);
    await requireModality(volume, {});
    expect(volume.info.warnings).toEqual([]);
  });

  test.each<[string, SetElements, RegExp]>([
    ['no inversion', () => ({ '00180082': null, '00180020': ['CS', 'SE'] }), /^noInversion/],
    ['a reformatted image', type('DERIVED\\SECONDARY\\MPR'), /^derivedImage/],
    ['an unknown kind', type(`ORIGINAL\\PRIMARY\\${CANARY}`), /^imageType/],
  ])('and doubt is a warning: %s', async (_what, set, warning) => {
    writeDicomSeries(folder, series({ set }));
    const volume = await loadVolume(folder);
    await requireModality(volume, {});
    expect(volume.info.warnings).toEqual([expect.stringMatching(warning)]);
    expect(JSON.stringify(volume.info)).not.toContain(CANARY);
  });

  test('by the command line before a model is loaded, and by a model that is given a path or a volume', async () => {
    writeDicomSeries(folder, series({ set: () => ({ '00080060': ['CS', 'CT'] }) }));
    for (const command of [['report'], ['encode', '--out', join(directory, 'x.safetensors')]]) {
      const { status, stdout, stderr } = await brain3d([...command, folder, '--model', TINY_MODEL]);
      expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
      expect(stderr).toMatch(
        /^\S.*scan: expected slices of a FLAIR image, got slices whose modality is CT.*\[BRAIN3D_UNSUPPORTED\]\n$/,
      );
    }
    const absent = await brain3d(['report', folder, '--model', join(directory, 'no-model')]);
    expect(absent.stderr).toContain('modality is CT');
    const volume = await loadVolume(folder);
    await using model = await Brain3D.load({ model: TINY_MODEL });
    const options = { maxNewTokens: 1, skullStrip: 'none' } as const;
    for (const source of [folder, volume])
      await expect(model.generate(source, options)).rejects.toMatchObject({
        code: 'BRAIN3D_UNSUPPORTED',
        field: 'modality',
      });
    await expect(model.generate(volume, { ...options, allowModality: true })).resolves.toMatchObject({
      text: expect.any(String),
    });
  });
});

test('what a folder is, is found before a model is loaded', async () => {
  writeDicomSeries(folder, series());
  writeDicomSeries(folder, series({ prefix: 'XX' }));
  const { status, stderr } = await brain3d(['report', folder, '--model', join(directory, 'no-model')]);
  expect(status).toBe(1);
  expect(stderr).toContain('positions repeat');
});
