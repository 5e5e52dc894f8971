/** The manifest: strict to read, the same bytes for the same scans, paths that travel with it. */
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ManifestEntry, readManifest, writeManifest } from 'brain3d';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'brain3d-manifest-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const ENTRY = {
  id: 'a',
  subject: 'a',
  source: 'brats',
  class: 'glioma',
  image: 'images/a.nii.gz',
  report: 'The lesion is in the left lobe.',
  laterality: 'left',
  modality: 'FLAIR',
  split: 'train',
};
const SKIPPED = {
  id: 'b',
  subject: 'b',
  source: 'brats',
  class: 'glioma',
  skipped: { reason: 'no report' },
};

function write(...lines: (object | string)[]): string {
  const path = join(dir, 'm.jsonl');
  const text = lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n');
  writeFileSync(path, `${text}\n`);
  return path;
}

test('paths are absolute in memory and relative in the file, so that the folder can move', async () => {
  const manifest = await readManifest(write(ENTRY, SKIPPED));
  expect(manifest.entries[0]?.image).toBe(join(dir, 'images/a.nii.gz'));
  expect(manifest.skipped).toEqual([SKIPPED]);
  mkdirSync(join(dir, 'moved'));
  const path = join(dir, 'moved/m.jsonl');
  await writeManifest(path, manifest);
  expect(JSON.parse(readFileSync(path, 'utf8').split('\n')[0] as string).image).toBe('../images/a.nii.gz');
  expect(statSync(path).mode & 0o777).toBe(0o600);
  renameSync(path, join(dir, 'm2.jsonl'));
  expect((await readManifest(join(dir, 'm2.jsonl'))).entries[0]?.image).toBe(join(dir, '../images/a.nii.gz'));
  const far = {
    ...(manifest.entries[0] as ManifestEntry),
    image: '/elsewhere/a.nii',
    segmentation: join(dir, 's.nii'),
  };
  await writeManifest(path, { entries: [far], skipped: [] });
  expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({ image: '/elsewhere/a.nii', segmentation: '../s.nii' });
});

test('what is written is read again, and written again it is the same bytes', async () => {
  const entry = { ...ENTRY, session: 'ses-01', orientation: 'LPS', segmentation: 'images/a_seg.nii' };
  const first = join(dir, 'first.jsonl');
  await writeManifest(first, await readManifest(write(entry, SKIPPED)));
  const second = join(dir, 'second.jsonl');
  await writeManifest(second, await readManifest(first));
  expect(readFileSync(second, 'utf8')).toBe(readFileSync(first, 'utf8'));
  // Whatever the order of the fields was.
  await writeManifest(second, await readManifest(write(Object.fromEntries(Object.entries(entry).reverse()), SKIPPED)));
  expect(readFileSync(second, 'utf8')).toBe(readFileSync(first, 'utf8'));
});

const without = (key: string) => Object.fromEntries(Object.entries(ENTRY).filter(([name]) => name !== key));

test.each<[title: string, code: string, message: string, lines: (object | string)[]]>([
  ['no JSON', 'FORMAT', 'm.jsonl:2: expected a JSON object on one line, got something else', [ENTRY, '{"id": ']],
  ['an empty line', 'FORMAT', 'm.jsonl:2: expected a JSON object on one line, got an empty line', [ENTRY, '', ENTRY]],
  ['an array', 'FORMAT', 'm.jsonl:1: expected a JSON object, got an array', ['[1]']],
  ['nothing', 'FORMAT', 'm.jsonl: expected at least one scan, got none', [SKIPPED]],
  ['an unknown field', 'CONFIG', "m.jsonl:1: unknown field 'imgae'; did you mean 'image'?", [{ ...ENTRY, imgae: '' }]],
  ['a missing field', 'CONFIG', "m.jsonl:1: expected a value for 'report', got nothing", [without('report')]],
  [
    'a class',
    'CONFIG',
    "expected glioma or healthy for 'class', got a text of 5 characters",
    [{ ...ENTRY, class: 'tumor' }],
  ],
  ['a side', 'CONFIG', "for 'laterality', got a text of 4 characters", [{ ...ENTRY, laterality: 'Left' }]],
  [
    'a split',
    'CONFIG',
    "expected train or val or test for 'split', got a text of 3 characters",
    [{ ...ENTRY, split: 'dev' }],
  ],
  ['a path in an id', 'CONFIG', "for 'id', got a text of 4 characters", [{ ...ENTRY, id: '../a' }]],
  ['a short report', 'CONFIG', "a report of at least 20 characters for 'report'", [{ ...ENTRY, report: 'Normal.' }]],
  ['a wrong type', 'CONFIG', "expected a text for 'image', got a number", [{ ...ENTRY, image: 1 }]],
  ['an orientation', 'CONFIG', "axis codes such as RAS or LPS for 'orientation'", [{ ...ENTRY, orientation: 'left' }]],
  ['an id twice', 'CONFIG', "m.jsonl:3: expected another id, got 'a' as in line 1", [ENTRY, SKIPPED, ENTRY]],
  ['no reason', 'CONFIG', "for 'skipped.reason', got nothing", [ENTRY, { ...SKIPPED, skipped: {} }]],
  [
    'a side of the healthy',
    'CONFIG',
    "m.jsonl:1: expected 'none' for healthy subjects, got 'left'",
    [{ ...ENTRY, class: 'healthy' }],
  ],
  [
    'patients without',
    'CONFIG',
    "expected a side or 'unknown' for patients, got 'none'",
    [{ ...ENTRY, laterality: 'none' }],
  ],
])('refused, with the line: %s', async (_title, code, message, lines) => {
  await expect(readManifest(write(...lines))).rejects.toMatchObject({
    code: `BRAIN3D_${code}`,
    file: 'm.jsonl',
    message: expect.stringContaining(message),
  });
});

test('refused: no file, a folder, and bytes that are no text', async () => {
  await expect(readManifest(join(dir, 'none.jsonl'))).rejects.toMatchObject({ code: 'BRAIN3D_NOT_FOUND' });
  await expect(readManifest(dir)).rejects.toMatchObject({ code: 'BRAIN3D_FORMAT' });
  const path = join(dir, 'm.jsonl');
  writeFileSync(path, Buffer.from([0xff, 0xfe, 0x00]));
  await expect(readManifest(path)).rejects.toMatchObject({ code: 'BRAIN3D_FORMAT' });
});
