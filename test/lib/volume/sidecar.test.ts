/** The JSON beside a volume: what it says of the modality, and sidecars that are damaged or made to harm. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { requireModality } from '../../../dist/volume/input-limits';
import { refusalOf } from '../../support/bounds';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'brain3d-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const path = (name: string): string => join(dir, name);
const check = async (name: string, allowModality?: boolean): Promise<void> =>
  requireModality(path(name), { allowModality });
const sidecar = (contents: string | Buffer): void => writeFileSync(path('scan.json'), contents);

/** Refuses the volume of that sidecar in both its forms, unless the modality is allowed; no other volume. */
async function expectRefused(code: string, message: string, file: string, field: string): Promise<void> {
  for (const name of ['scan.nii', 'scan.nii.gz']) {
    const error = await refusalOf(() => check(name));
    expect(error).toMatchObject({ code, field, message: expect.stringContaining(message) });
    expect(error.file).toBe(file === 'volume' ? name : file);
    expect(error.message).toContain('--allow-modality');
    await check(name, true);
  }
  await check('other.nii.gz'); // whose sidecar it is not
}

test('no sidecar, or one that says MR or nothing of it, refuses nothing', async () => {
  await check('scan.nii');
  for (const text of ['{"Modality":"MR"}', '{}', '{"Manufacturer":"CT","__proto__":{"Modality":"CT"}}']) {
    sidecar(text);
    await check('scan.nii');
    await check('scan.nii.gz');
  }
  sidecar('{"Modality":"CT"}');
  await check('scan.mnc'); // no name of a volume
  await check('scan.nii.bak');
});

test.each(['CT', 'PT', 'OT'])('another modality: %s', async (modality) => {
  sidecar(JSON.stringify({ Manufacturer: 'Maker', Modality: modality }));
  const said = `expected an image of the modality MR, got one of which scan.json says ${modality}`;
  await expectRefused('BRAIN3D_UNSUPPORTED', said, 'volume', 'modality');
});

test('names in any case have sidecars in any case', async () => {
  for (const [volume, json] of [
    ['CT1.NII.GZ', 'CT1.json'],
    ['CT2.NII.GZ', 'CT2.JSON'],
    ['ct3.Nii', 'ct3.Json'],
    ['CT4.NII', 'ct4.json'],
  ] as const) {
    writeFileSync(path(json), '{"Modality":"CT"}');
    const error = await refusalOf(() => check(volume));
    expect(error).toMatchObject({ code: 'BRAIN3D_UNSUPPORTED', file: volume, field: 'modality' });
    expect(error.message).toContain(`${json} says CT`);
  }
});

test('a code that is none of DICOM is refused and not shown', async () => {
  sidecar('{"Modality":"CANARY"}');
  const error = await refusalOf(() => check('scan.nii'));
  expect(error).toMatchObject({ code: 'BRAIN3D_UNSUPPORTED', message: expect.stringContaining('says another one') });
});

test('a part of a complex image other than its magnitude is refused by its BIDS name', async () => {
  for (const part of ['phase', 'real', 'imag', 'Phase'])
    expect(await refusalOf(() => check(`sub-01_part-${part}_FLAIR.nii.gz`))).toMatchObject({
      code: 'BRAIN3D_UNSUPPORTED',
    });
  await check('sub-01_acq-a_part-mag_run-1_FLAIR.nii.gz');
  await check('sub-01_part-phase_FLAIR.nii.gz', true);
});

/** Times as dcm2niix and BIDS write them, in seconds. */
const FLAIR = { Modality: 'MR', ScanningSequence: 'SE_IR', RepetitionTime: 9, EchoTime: 0.09, InversionTime: 2.5 };
test.each<[string, Record<string, unknown>, string | null]>([
  ['a FLAIR', {}, null],
  ['a description, which is not believed', { SeriesDescription: 'T1 CT', ProtocolName: 'ADC' }, null],
  ['fields of other types', { InversionTime: '0.1', ImageType: 3, ScanningSequence: { GR: 1 }, EchoTime: null }, null],
  ['a list of codes', { ScanningSequence: ['SE', 'IR'], ImageType: ['ORIGINAL', 'PRIMARY', 'M', 'ND'] }, null],
  ['T1', { ScanningSequence: 'SE', RepetitionTime: 0.5, EchoTime: 0.012, InversionTime: undefined }, 'echo time'],
  ['an MPRAGE', { ScanningSequence: 'GR\\IR', InversionTime: 1.1 }, 'gradient-echo'],
  ['STIR', { InversionTime: 0.16 }, 'inversion time'],
  ['ADC', { ImageType: ['DERIVED', 'PRIMARY', 'DIFFUSION', 'ADC'] }, 'a map'],
  ['a phase', { ImageType: ['ORIGINAL', 'PRIMARY', 'P', 'ND'] }, 'a map'],
  ['a phase by its component', { ComplexImageComponent: 'PHASE' }, 'no magnitude'],
  ['a diffusion sequence', { SequenceName: '*ep_b1000t' }, 'another sequence'],
])('what a sidecar says of the sequence: %s', async (_what, fields, refused) => {
  sidecar(JSON.stringify({ ...FLAIR, ...fields }));
  if (refused === null) await check('scan.nii');
  else await expectRefused('BRAIN3D_UNSUPPORTED', refused, 'volume', 'modality');
});

test('a modality that may be text about a patient is refused and not shown', async () => {
  for (const modality of ['Jane Canary 1970', '', 'mr', 'X'.repeat(17), 3, null, ['MR'], { MR: 1 }]) {
    sidecar(JSON.stringify({ Modality: modality }));
    await expectRefused('BRAIN3D_FORMAT', "expected a code such as MR or CT for 'Modality'", 'scan.json', 'Modality');
    expect((await refusalOf(() => check('scan.nii'))).message).not.toContain('Canary');
  }
});

test.each<[string, () => void, string]>([
  ['nothing in it', () => sidecar(''), 'expected JSON, got something else (it ends too early)'],
  ['JSON cut off', () => sidecar('{"Modality":"M'), 'expected JSON, got something else'],
  ['no JSON', () => sidecar('Modality: CT'), 'expected JSON, got something else'],
  ['a list', () => sidecar('["MR"]'), 'expected a JSON object'],
  ['null', () => sidecar('null'), 'expected a JSON object'],
  ['500,000 levels', () => sidecar('['.repeat(500_000)), 'expected JSON, got something else'],
  ['other bytes than UTF-8', () => sidecar(Buffer.from([0x7b, 0xff, 0x7d])), 'expected UTF-8 text, got other bytes'],
  [
    'a gigabyte',
    () => {
      sidecar('');
      truncateSync(path('scan.json'), 2 ** 30);
    },
    'at most 1048576 bytes, got 1073741824',
  ],
  ['a folder', () => mkdirSync(path('scan.json')), 'expected a regular file'],
  ['a pipe', () => execFileSync('mkfifo', [path('scan.json')]), 'expected a regular file'],
  ['a device', () => symlinkSync('/dev/zero', path('scan.json')), 'expected a regular file'],
])('a sidecar that cannot be read may be the one that says CT: %s', async (_what, make, message) => {
  make();
  await expectRefused('BRAIN3D_FORMAT', message, 'scan.json', 'Modality');
});

test('a sidecar that the system does not open is an error of the system', async () => {
  symlinkSync('scan.json', path('scan.json'));
  expect(await refusalOf(() => check('scan.nii'))).toMatchObject({
    code: 'BRAIN3D_IO',
    file: 'scan.json',
    message: "cannot read 'scan.json' (ELOOP)",
  });
  await check('scan.nii', true);
});
