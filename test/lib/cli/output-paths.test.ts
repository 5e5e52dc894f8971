/** Results may not go over the input, not over an earlier result unasked, nowhere outside the folder that was given. */
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Volume } from 'brain3d';
import { plainName, ReportFolder } from '../../../dist/cli/report-files';
import { modeOf } from '../../support/canaries';
import { brain3d, ROOT, SAMPLE, TINY_MODEL } from '../../support/cli';

let dir: string;
const path = (name: string): string => join(dir, name);
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'test-paths-'));
  cpSync(SAMPLE, path('scan.nii.gz'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const SHORT = ['--model', TINY_MODEL, '--max-new-tokens', '4', '--greedy'];
const names = (folder: string): string[] => readdirSync(path(folder)).sort();
const RESULTS = ['scan.montage.png', 'scan.report.json', 'scan.report.txt'];

/** `name` made by `link`, as a path. */
function linked(link: (target: string, path: string) => void, target: string, name: string): string {
  link(target, path(name));
  return path(name);
}

test.each([
  ['its own name', () => path('scan.nii.gz')],
  ['another spelling', () => `${dir}/./x/../scan.nii.gz`],
  ['a link to it', () => linked(symlinkSync, 'scan.nii.gz', 'link.nii.gz')],
  ['a link to its folder', () => `${linked(symlinkSync, dir, 'folder')}/scan.nii.gz`],
  ['a hard link', () => linked(linkSync, path('scan.nii.gz'), 'hard.nii.gz')],
])('the input is not overwritten by %s', async (_title, make) => {
  const out = make();
  const before = readFileSync(path('scan.nii.gz'));
  for (const args of [
    ['--out', out],
    ['--out', path('x.nii'), '--mask-out', out],
  ]) {
    const { status, stderr } = await brain3d(['preprocess', path('scan.nii.gz'), ...args, '--force']);
    expect(stderr).toContain('got the volume itself');
    expect(status).toBe(2);
  }
  expect(readFileSync(path('scan.nii.gz'))).toEqual(before);
});

test('the input is not overwritten where it is itself given by a link', async () => {
  symlinkSync('scan.nii.gz', path('link.nii.gz'));
  const { status, stderr } = await brain3d([
    'preprocess',
    path('link.nii.gz'),
    '--out',
    path('scan.nii.gz'),
    '--force',
  ]);
  expect({ status, stderr }).toEqual({ status: 2, stderr: expect.stringContaining('got the volume itself') });
});

/** Runs a program where `to` is another name of `from` by a bind mount, in a mount namespace of its own. */
const withBind = (from: string, to: string, command: string[]) =>
  spawnSync(
    'unshare',
    [
      '--user',
      '--map-root-user',
      '--mount',
      'sh',
      '-c',
      'mount --bind "$0" "$1" && shift && exec "$@"',
      from,
      to,
      ...command,
    ],
    { encoding: 'utf8' },
  );
const canBind = withBind(tmpdir(), tmpdir(), ['true']).status === 0;

(canBind ? describe : describe.skip)(`bind mounts${canBind ? '' : ' (skipped: none may be made here)'}`, () => {
  const preprocess = (...args: string[]): string[] => [
    process.execPath,
    join(ROOT, 'dist/cli.js'),
    'preprocess',
    path('scan.nii.gz'),
    ...args,
    '--force',
  ];

  test('the input is not overwritten through one, of its folder or of itself', () => {
    const before = readFileSync(path('scan.nii.gz'));
    mkdirSync(path('mounted'));
    writeFileSync(path('other.nii.gz'), '');
    for (const [from, to, out] of [
      [dir, path('mounted'), path('mounted/scan.nii.gz')],
      [path('scan.nii.gz'), path('other.nii.gz'), path('other.nii.gz')],
    ] as const) {
      for (const args of [
        ['--out', out],
        ['--out', path('x.nii'), '--mask-out', out],
      ]) {
        const { status, stderr } = withBind(from, to, preprocess(...args));
        expect(stderr).toContain('got the volume itself');
        expect(status).toBe(2);
      }
      expect(readFileSync(path('scan.nii.gz')).equals(before)).toBe(true);
    }
    expect(readdirSync(dir).sort()).toEqual(['mounted', 'other.nii.gz', 'scan.nii.gz']);
  });

  test('a folder that is one is written to; a file that is one cannot be replaced, which is a typed error', () => {
    for (const folder of ['mounted', 'folder']) mkdirSync(path(folder));
    const written = withBind(path('folder'), path('mounted'), preprocess('--out', path('mounted/x.nii')));
    expect(written).toMatchObject({ status: 0 });
    expect(names('folder')).toEqual(['x.nii']);
    for (const file of ['a.nii', 'b.nii']) writeFileSync(path(file), 'old');
    const refused = withBind(path('a.nii'), path('b.nii'), preprocess('--out', path('b.nii')));
    expect(refused).toMatchObject({ status: 1, stderr: expect.stringContaining('[BRAIN3D_IO]') });
    expect(readFileSync(path('a.nii'), 'utf8')).toBe('old');
    expect(readdirSync(dir).sort()).toEqual(['a.nii', 'b.nii', 'folder', 'mounted', 'scan.nii.gz']);
  });
});

test.each([
  ['preprocess', ['--out', 'old.nii']],
  ['preprocess', ['--out', 'new.nii', '--mask-out', 'old.nii']],
  ['encode', ['--out', 'old.safetensors', '--model', TINY_MODEL]],
])('%s replaces a result only with --force: %j', async (command, args) => {
  const given = args.map((arg) => (/^(old|new)\./.test(arg) ? path(arg) : arg));
  const old = given.find((arg) => arg.includes('old.')) as string;
  writeFileSync(old, 'old');
  const refused = await brain3d([command, path('scan.nii.gz'), ...given]);
  expect(refused).toMatchObject({ status: 2, stderr: expect.stringMatching(/'old\.\w+' is there already.*--force/) });
  expect(readFileSync(old, 'utf8')).toBe('old');
  expect(await brain3d([command, path('scan.nii.gz'), ...given, '--force'])).toMatchObject({ status: 0 });
  expect(readFileSync(old, 'utf8')).not.toBe('old');
  expect(modeOf(old)).toBe(0o600);
});

test('report replaces results only with --force, and says so before it loads a model', async () => {
  const args = ['report', path('scan.nii.gz'), '--out', path('out')];
  expect(await brain3d([...args, ...SHORT])).toMatchObject({ status: 0 });
  const without = await brain3d([...args, '--model', path('no-model')]);
  expect(without).toMatchObject({ status: 2, stderr: expect.stringContaining("'scan.report.txt' is there already") });
  writeFileSync(path('out/scan.report.txt'), 'old');
  expect(await brain3d([...args, ...SHORT, '--force'])).toMatchObject({ status: 0 });
  expect(readFileSync(path('out/scan.report.txt'), 'utf8')).not.toBe('old');
  expect(names('out')).toEqual(RESULTS);
});

test('a folder given by a link is followed, a link in it is replaced and its target left alone', async () => {
  mkdirSync(path('elsewhere'));
  writeFileSync(path('precious'), 'precious');
  symlinkSync('elsewhere', path('out'));
  symlinkSync('../precious', path('elsewhere/scan.report.txt'));
  const args = ['report', path('scan.nii.gz'), '--out', path('out'), ...SHORT];
  expect(await brain3d(args)).toMatchObject({ status: 2 });
  expect(await brain3d([...args, '--force'])).toMatchObject({ status: 0 });
  expect(names('elsewhere')).toEqual(RESULTS);
  expect(readFileSync(path('precious'), 'utf8')).toBe('precious');
  expect(RESULTS.map((name) => modeOf(path(`elsewhere/${name}`)))).toEqual([0o600, 0o600, 0o600]);
});

test('what the system refuses is a typed error that names the folder, and leaves nothing', async () => {
  const out = '/sys/brain3d-test'; // where nobody may make anything, root neither
  for (const args of [['report', ...SHORT], ['preprocess'], ['encode', '--model', TINY_MODEL]]) {
    const file = { report: out, preprocess: `${out}.nii`, encode: `${out}.safetensors` }[args[0] as 'report'];
    const { status, stderr } = await brain3d([args[0] as string, path('scan.nii.gz'), ...args.slice(1), '--out', file]);
    expect(stderr).toMatch(/\[BRAIN3D_(IO|NOT_FOUND)\]\n$/);
    expect(stderr).not.toContain('/sys/');
    expect(status).toBe(1);
  }
  expect(readdirSync(dir)).toEqual(['scan.nii.gz']);
});

test('two processes with one folder leave whole files', async () => {
  const args = ['report', path('scan.nii.gz'), '--out', path('out'), ...SHORT, '--force'];
  const ended = await Promise.all([brain3d(args), brain3d(args)]);
  expect(ended.map(({ status }) => status)).toEqual([0, 0]);
  expect(names('out')).toEqual(RESULTS);
  expect(JSON.parse(readFileSync(path('out/scan.report.json'), 'utf8'))).toMatchObject({ research_use_only: true });
});

test('a failed write leaves the earlier file and nothing else', async () => {
  const volume = Volume.fromArray(
    new Float32Array(8).fill(300),
    [2, 2, 2],
    [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1],
  );
  writeFileSync(path('v.nii'), 'old');
  await expect(volume.write(path('v.nii'), { datatype: 'uint8' })).rejects.toMatchObject({ code: 'BRAIN3D_USAGE' });
  expect(readFileSync(path('v.nii'), 'utf8')).toBe('old');
  expect(readdirSync(dir).sort()).toEqual(['scan.nii.gz', 'v.nii']);
});

describe('names of results', () => {
  test.each([
    ['../../etc/passwd', '_.._etc_passwd'],
    ['/etc/passwd.nii', '_etc_passwd'],
    ['..', 'volume'],
    ['-rf.nii.gz', 'rf'],
    ['a:b\0c\nd.nii', 'a_b_c_d'],
    ['con\u202egnp.nii.gz', 'con_gnp'],
    ['.nii.gz', 'volume'],
    ['x'.repeat(300), 'x'.repeat(100)],
  ])('%j becomes %j', (name, expected) => expect(plainName(name)).toBe(expected));

  test('are one a volume, without regard to case, also where they are cut', async () => {
    const long = 'x'.repeat(300);
    const taken = ['A.nii', 'a.nii.gz', 'A', `${long}1`, `${long}2`];
    for (const stem of ['A', 'a-2', 'A-3', 'x'.repeat(100), `${'x'.repeat(100)}-2`]) {
      mkdirSync(path('out'), { recursive: true });
      writeFileSync(path(`out/${stem}.report.json`), '');
      await expect(ReportFolder.make(path('out'), taken, undefined)).rejects.toMatchObject({
        file: `${stem}.report.json`,
      });
      rmSync(path('out'), { recursive: true });
    }
    await ReportFolder.make(path('out'), taken, undefined);
  });
});
