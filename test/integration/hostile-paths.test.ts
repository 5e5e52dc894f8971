/**
 * Hostile manifests, tables and paths by number: D01 to D08 and F01 to F14 of docs/hostile-files.md. What other tests
 * show already is named in that document.
 */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  checkDataset,
  importCheckpoint,
  inspect,
  inspectVolume,
  loadVolume,
  preprocess,
  readManifest,
  writeTensors,
} from 'brain3d';
import { casesCsv } from '../../dist/evaluate/cases-csv';
import { refusalOf } from '../support/bounds';
import { type Loose, MODEL, ROOT, runScript, SAMPLE } from '../support/child';
import { brain3d } from '../support/cli';

let dir: string;
beforeAll(async () => void (await inspectVolume(SAMPLE))); // loads the addon, which none of the rows should pay for
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'brain3d-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));
const path = (name: string): string => join(dir, name);

describe('manifest', () => {
  const ENTRY = {
    id: 'a',
    subject: 'a',
    source: 'brats',
    class: 'glioma',
    image: SAMPLE,
    report: 'The lesion is in the left lobe.',
    laterality: 'left',
    modality: 'FLAIR',
    split: 'train',
  };
  const without = (field: string): object => Object.fromEntries(Object.entries(ENTRY).filter(([key]) => key !== field));
  const linesAt = (name: string, ...entries: (object | string)[]): string => {
    const text = entries.map((entry) => (typeof entry === 'string' ? entry : JSON.stringify(entry)));
    writeFileSync(path(name), `${text.join('\n')}\n`);
    return path(name);
  };
  const lines = (...entries: (object | string)[]): string => linesAt('m.jsonl', ...entries);

  afterEach(async () => {
    const { entries } = await readManifest(linesAt('sound.jsonl', ENTRY));
    expect(entries).toHaveLength(1);
  });

  test.each([
    ['D01', 'no subject', () => lines(without('subject')), 'BRAIN3D_CONFIG', 'subject', "'subject', got nothing"],
    ['D01', 'no image', () => lines(without('image')), 'BRAIN3D_CONFIG', 'image', "'image', got nothing"],
    ['D02', 'an id twice', () => lines(ENTRY, ENTRY), 'BRAIN3D_CONFIG', 'id', 'expected another id'],
    ['D03', 'an id that is a path', () => lines({ ...ENTRY, id: '../a' }), 'BRAIN3D_CONFIG', 'id', "for 'id'"],
    ['D04', 'JSON cut off', () => lines(JSON.stringify(ENTRY).slice(0, 40)), 'BRAIN3D_FORMAT', undefined, 'm.jsonl:1'],
    ['D05', 'a list', () => lines('[]'), 'BRAIN3D_FORMAT', undefined, 'expected a JSON object'],
    [
      'D06',
      'a pipe',
      () => {
        execFileSync('mkfifo', [path('m.jsonl')]);
        return path('m.jsonl');
      },
      'BRAIN3D_FORMAT',
      undefined,
      'expected a regular file',
    ],
  ])('%s: %s', async (_id, _what, make, code, field, message) => {
    const file = make();
    const error = await refusalOf(() => readManifest(file));
    expect(error).toMatchObject({ code, file: 'm.jsonl', message: expect.stringContaining(message) });
    expect(error.field).toBe(field);
  });

  test('D07: a subject in two splits is an error of the check', async () => {
    const second = { ...ENTRY, id: 'b', split: 'test' };
    const { findings } = await checkDataset(lines(ENTRY, second));
    expect(findings).toContainEqual(
      expect.objectContaining({ level: 'error', id: 'a', message: expect.stringContaining('belongs to one split') }),
    );
  });

  test('D08: a text that a spreadsheet would run is written as text', () => {
    const row: Loose = { name: '=cmd()', runs: [{ seed: 1, texts: [{ text: '@SUM(A1)', error: null }] }] };
    const entry: Loose = { ...ENTRY, id: 'a', report: '+1 lesion, "left".' };
    const traits: Loose = { lesionMl: -1.5, lesionCount: 1, focality: null, focalityBasis: null };
    const [, line] = casesCsv([entry], [traits], [{ row, columns: [emptyColumns()] }]).split('\n');
    expect(line).toMatch(/^'=cmd\(\),1,a,glioma,brats,left,-1\.5,/); // numbers stay numbers
    expect(line).toMatch(/,"'\+1 lesion, ""left""\.",'@SUM\(A1\)$/);
  });

  /** Columns without values: every metric is absent. */
  const emptyColumns = (): Loose => new Proxy({}, { get: (_target, key) => (key === 'length' ? 0 : emptyColumns()) });
});

describe('paths', () => {
  const tensors = [{ name: 'x', shape: [1], data: new Float32Array(1) }];
  const left = (): string[] => readdirSync(dir);

  /** Whatever was refused: the same process reads and writes as before. */
  afterEach(async () => {
    await writeTensors(path('sound.safetensors'), tensors);
    expect(await inspectVolume(SAMPLE)).toMatchObject({ orientation: 'LPS' });
  });

  test('F01: an output that is the input is refused and the input kept', async () => {
    copyFileSync(SAMPLE, path('v.nii.gz'));
    const before = readFileSync(path('v.nii.gz'));
    const { status } = await brain3d(['preprocess', path('v.nii.gz'), '--out', path('v.nii.gz')]);
    expect(status).not.toBe(0);
    expect(readFileSync(path('v.nii.gz')).equals(before)).toBe(true);
  });

  test('F02: a link as output is replaced, what it leads to is kept', async () => {
    writeFileSync(path('precious'), 'kept');
    symlinkSync('precious', path('out.safetensors'));
    await writeTensors(path('out.safetensors'), tensors);
    expect(readFileSync(path('precious'), 'utf8')).toBe('kept');
    expect(left().sort()).toEqual(['out.safetensors', 'precious']);
  });

  test('F03, F04: no folder, and a folder that is a file', async () => {
    writeFileSync(path('file'), '');
    for (const folder of ['none', 'file']) {
      expect(await refusalOf(() => writeTensors(path(`${folder}/x.safetensors`), tensors))).toMatchObject({
        code: 'BRAIN3D_NOT_FOUND',
        file: 'x.safetensors',
        message: expect.stringContaining('cannot open its directory'),
      });
    }
  });

  test('F05: a folder as output is kept', async () => {
    mkdirSync(path('x.safetensors'));
    expect(await refusalOf(() => writeTensors(path('x.safetensors'), tensors))).toMatchObject({
      code: 'BRAIN3D_IO',
      file: 'x.safetensors',
      message: expect.stringContaining('cannot put it in place'),
    });
    expect(left()).toEqual(['x.safetensors']);
  });

  test('F06: outputs are for their owner only, whatever the umask', async () => {
    const before = process.umask(0);
    try {
      await writeTensors(path('x.safetensors'), tensors);
    } finally {
      process.umask(before);
    }
    expect(statSync(path('x.safetensors')).mode & 0o777).toBe(0o600);
  });

  test('F07: a name with NUL, and one of 4,096 characters', async () => {
    for (const name of ['a\0.nii', `${'n'.repeat(4096)}.nii`]) {
      const error = await refusalOf(() => loadVolume(path(name)));
      expect(error).toMatchObject({ code: 'BRAIN3D_IO', file: name.slice(0, 255) });
      expect(error.message).toMatch(/^cannot read '/);
      expect(error.message).not.toContain(dir); // a path may name a patient
    }
  });

  test('F08: another name of the input on the disk is another file after writing', async () => {
    await writeTensors(path('a.safetensors'), tensors);
    linkSync(path('a.safetensors'), path('b.safetensors'));
    const before = readFileSync(path('b.safetensors'));
    await writeTensors(path('a.safetensors'), [{ name: 'y', shape: [2], data: new Float32Array(2) }]);
    expect(readFileSync(path('b.safetensors')).equals(before)).toBe(true);
  });

  test('F09: two writers of one file leave one of the two, whole', async () => {
    const write = (name: string) => writeTensors(path('x.safetensors'), [{ ...tensors[0], name } as never]);
    await Promise.all(Array.from({ length: 16 }, (_, index) => write(`t${index}`)));
    expect(left()).toEqual(['x.safetensors']);
    const bytes = readFileSync(path('x.safetensors'));
    expect(bytes.length).toBe(8 + Number(bytes.readBigUInt64LE(0)) + 4);
  });

  test('F10: a relative path whose folder is gone', async () => {
    // LibTorch itself ends a process that loads it in a folder that is gone, so it is loaded before.
    const { stdout } = await runScript(`
      import { mkdtempSync, rmdirSync } from 'node:fs';
      await brain3d.inspectVolume(SAMPLE);
      const gone = mkdtempSync(${JSON.stringify(path('gone-'))});
      process.chdir(gone);
      rmdirSync(gone);
      await brain3d.inspectVolume('v.nii').catch((error) => console.log(error.code));
    `);
    expect(stdout.trim()).toBe('BRAIN3D_NOT_FOUND');
  });

  test.each([
    ['F11', 'config.json', 'BRAIN3D_FORMAT'],
    ['F11', 'model.safetensors', 'BRAIN3D_FORMAT'],
  ])('%s: a pipe as %s is refused at once', async (_id, name, code) => {
    mkdirSync(path('language'));
    for (const file of ['config.json', 'model.safetensors'])
      if (file !== name) copyFileSync(join(MODEL, '../language', file), path(`language/${file}`));
    execFileSync('mkfifo', [path(`language/${name}`)]);
    const error = await refusalOf(() => inspect(path('language')));
    expect(error).toMatchObject({ code, file: name, message: expect.stringContaining('expected a regular file') });
  });

  test('F12: an archive whose entries lead elsewhere writes nothing there', async () => {
    const text = readFileSync(join(ROOT, 'test/golden/peer/projector_vis_scale.pt'), 'latin1');
    const [inside, outside] = ['projector_vis_scale/data/1', '../../projector_vis_scale1'];
    expect([outside.length, text.split(inside).length]).toEqual([inside.length, 3]); // here and in the directory
    writeFileSync(path('projector_vis_scale.pt'), text.replaceAll(inside, outside), 'latin1');
    const options = {
      from: dir,
      vision: join(ROOT, 'test/golden/models/vision'),
      language: join(MODEL, '../language'),
    };
    expect(await refusalOf(() => importCheckpoint({ ...options, out: path('out') }))).toMatchObject({
      code: 'BRAIN3D_FORMAT',
      file: 'projector_vis_scale.pt',
      message: expect.stringContaining('that leaves its directory'),
    });
    expect(left().filter((name) => name !== 'out')).toEqual(['projector_vis_scale.pt']);
  });

  const asUser = process.getuid?.() === 0 ? test.skip : test;
  asUser('F13: a folder that is not writable (skipped: root may write everywhere)', async () => {
    mkdirSync(path('closed'));
    chmodSync(path('closed'), 0o500);
    expect(await refusalOf(() => writeTensors(path('closed/x.safetensors'), tensors))).toMatchObject({
      code: 'BRAIN3D_IO',
      file: 'x.safetensors',
    });
  });

  test('F14: rename refused by the system: an error, the old file kept, nothing left over', async () => {
    // A directory in the place of the file makes rename(2) fail as a file system without it does.
    mkdirSync(path('v.nii.gz'));
    const volume = await preprocess(await loadVolume(SAMPLE), { size: [64, 64, 64] });
    await expect(volume.write(path('v.nii.gz'))).rejects.toMatchObject({
      code: 'BRAIN3D_IO',
      file: 'v.nii.gz',
      message: expect.stringContaining('cannot put it in place'),
    });
    expect(left()).toEqual(['v.nii.gz']);
    expect(existsSync(path('v.nii.gz'))).toBe(true);
  });
});
