/** Folders for results: made one by one, and refused where there can be none. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { initCheckpoint, preprocessDataset, showDataset, simulateCohort, Trainer } from 'brain3d';
import { makeFolders } from '../../../dist/files/folders';
import { modeOf } from '../../support/canaries';
import { brain3d, ROOT, SAMPLE, TINY_MODEL } from '../../support/cli';
import { writeTrainingFixture } from '../../support/training';

let dir: string;
const path = (name: string): string => join(dir, name);
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'brain3d-folders-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

test('makes what is missing, for its owner, and says what it made', async () => {
  expect(await makeFolders(path('a/b/c'))).toEqual([path('a'), path('a/b'), path('a/b/c')]);
  expect(['a', 'a/b', 'a/b/c'].map((name) => modeOf(path(name)))).toEqual([0o700, 0o700, 0o700]);
  expect(await makeFolders(path('a/b/c'))).toEqual([]);
  expect(await makeFolders(`${path('a')}/b/../d/`)).toEqual([path('a/d')]);
  symlinkSync('a', path('link'));
  expect(await makeFolders(path('link/e'))).toEqual([path('link/e')]);
  expect(await makeFolders('/')).toEqual([]);
});

test('two at once both have it', async () => {
  await Promise.all([1, 2, 3, 4].map(() => makeFolders(path('x/y/z'))));
  expect(statSync(path('x/y/z')).isDirectory()).toBe(true);
});

test.each([
  ['a file in its place', 'file', 'file', 'EEXIST'],
  ['a file above it', 'file/inner', 'inner', 'ENOTDIR'],
  ['a link that leads nowhere', 'dangling', 'dangling', 'EEXIST'],
  ['a link above it that leads nowhere', 'dangling/inner', 'dangling', 'EEXIST'],
])('%s is a typed error that names it', async (_title, name, file, code) => {
  writeFileSync(path('file'), '');
  symlinkSync('nowhere', path('dangling'));
  await expect(makeFolders(path(name))).rejects.toMatchObject({
    name: 'Brain3DError',
    code: 'BRAIN3D_IO',
    file,
    message: `the folder '${file}' cannot be made (${code}); give another place`,
  });
  expect(readdirSync(dir).sort()).toEqual(['dangling', 'file']);
});

describe('below /proc, where nothing can be made and Node alone never ends', () => {
  const places = ['/proc/brain3d-test', '/proc/brain3d-test/a/b', '/proc/self/brain3d-test/a'];
  const refusal = {
    code: 'BRAIN3D_IO',
    message: expect.stringMatching(/the folder 'brain3d-test' cannot be made \(E/),
  };

  test.each(places)('%s: refused at once', async (place) => {
    await expect(makeFolders(place)).rejects.toMatchObject(refusal);
  });

  test('by whatever makes folders', async () => {
    const [, out] = places as [string, string];
    const [vision, language] = ['vision', 'language'].map((kind) => join(ROOT, 'models/tiny', kind)) as [
      string,
      string,
    ];
    const { data } = await writeTrainingFixture(path('fixture'), { train: 2, val: 1 });
    const settings = { model: TINY_MODEL, data, phase: 'lora-sft' } as const;
    await expect(new Trainer({ ...settings, out }).run()).rejects.toMatchObject(refusal);
    await expect(initCheckpoint({ vision, language, out })).rejects.toMatchObject(refusal);
    await expect(simulateCohort({ out, subjects: 2 })).rejects.toMatchObject(refusal);
    await expect(preprocessDataset({ manifest: data, out })).rejects.toMatchObject(refusal);
    await expect(showDataset(data, { out })).rejects.toMatchObject(refusal);
    const { status, stderr } = await brain3d(['report', SAMPLE, '--model', TINY_MODEL, '--out', out]);
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: expect.stringMatching(/'brain3d-test' cannot be made .*\[BRAIN3D_IO\]\n$/),
    });
  });

  test('there is no other way in which the package makes several', () => {
    const files = readdirSync(join(ROOT, 'dist'), { recursive: true, encoding: 'utf8' }).filter((name) =>
      /\.m?js$/.test(name),
    );
    const recursive = files.filter((name) =>
      /mkdir\w*\)?\([^;]*recursive/.test(readFileSync(join(ROOT, 'dist', name), 'utf8')),
    );
    expect(files.length).toBeGreaterThan(100);
    expect(recursive).toEqual([]);
  });
});
