import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { resolveForRun } from '../../lib/native/libtorch';

const ROOT = resolve(__dirname, '../..');
const BUILD = JSON.parse(readFileSync(join(ROOT, 'build', 'Release', 'brain3d.build.json'), 'utf8'));

/** As published and unpacked, with a prebuild and without build/, scripts/ or .libtorch/. */
let home: string;
let installed: string;

beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'brain3d-install-'));
  const pack = ['pack', '--json', '--ignore-scripts', '--pack-destination', home];
  const [{ filename }] = JSON.parse(execFileSync('npm', pack, { cwd: ROOT, encoding: 'utf8' }));
  execFileSync('tar', ['xzf', join(home, filename), '-C', home]);
  installed = join(home, 'package');
  rmSync(join(installed, 'prebuilds'), { recursive: true, force: true });
  symlinkSync(join(ROOT, 'node_modules'), join(installed, 'node_modules'));
  // The very function of `npm run prebuilds`, in a process of its own: it is an ES module.
  const prebuild = join(ROOT, 'scripts', 'prebuild-files.mjs');
  const script = `import { makePrebuild } from ${JSON.stringify(prebuild)}; await makePrebuild(process.argv[1]);`;
  execFileSync(process.execPath, ['--input-type=module', '-e', script, installed]);
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

interface Outcome {
  code?: string;
  message?: string;
  info?: { version: string; torchVersion: string };
}

/** Loads the installed package in a fresh process that finds no python3 and, unless given, no LibTorch. */
function load(env: NodeJS.ProcessEnv, before = ''): Outcome {
  const script = `
    ${before}
    const { loadAddon } = require(${JSON.stringify(join(installed, 'dist', 'native', 'binding.js'))});
    let outcome;
    try { outcome = { info: loadAddon().buildInfo() }; } catch ({ code, message }) { outcome = { code, message }; }
    console.log(JSON.stringify(outcome));
  `;
  const child = spawnSync(process.execPath, ['-e', script], {
    cwd: home,
    env: { PATH: '/nonexistent', ...env },
    encoding: 'utf8',
  });
  if (child.status !== 0) throw new Error(`status ${child.status}, ${child.signal}: ${child.stderr}`);
  return JSON.parse(child.stdout);
}

function libtorch(): string {
  const { found } = resolveForRun({ packageRoot: ROOT, env: process.env }, BUILD);
  if (!found?.root) throw new Error('the build found a LibTorch that is gone');
  return found.root;
}

it('loads from a prebuild, with LibTorch given and nothing compiled', () => {
  expect(load({ LIBTORCH: libtorch() })).toMatchObject({ info: { version: BUILD.version } });
});

it('can be imported where LibTorch is missing', () => {
  const env = { PATH: '/nonexistent' };
  const args = ['-e', `require(${JSON.stringify(installed)})`];
  expect(spawnSync(process.execPath, args, { env, encoding: 'utf8' })).toMatchObject({ status: 0, stderr: '' });
});

it('says where it looked if LibTorch is missing', () => {
  const { code, message } = load({});
  expect(code).toBe('BRAIN3D_LIBTORCH');
  expect(message).toMatch(/LIBTORCH: not set/);
  expect(message).toMatch(/python3: there is no python3 on PATH/);
  expect(message).toContain(`.libtorch (${join(installed, '.libtorch', 'torch')}): does not exist`);
});

it('refuses a LibTorch that is broken, naming the file', () => {
  const root = join(home, 'broken');
  mkdirSync(join(root, 'lib'), { recursive: true });
  writeFileSync(join(root, 'version.py'), `__version__ = '${BUILD.torchVersion}'\n`);
  for (const name of ['libc10.so', 'libtorch_cpu.so', 'libtorch.so'])
    writeFileSync(join(root, 'lib', name), 'not a library');
  const { code, message } = load({ LIBTORCH: root });
  expect(code).toBe('BRAIN3D_LIBTORCH');
  expect(message).toContain(join(root, 'lib', 'libc10.so'));
});

/** The LibTorch in use under another path, its libraries linked to but for one. */
function copyWith(name: string, changed: string, change: (original: Buffer) => Buffer): string {
  const [from, root] = [libtorch(), join(home, name)];
  mkdirSync(join(root, 'lib'), { recursive: true });
  writeFileSync(join(root, 'version.py'), `__version__ = '${BUILD.torchVersion}'\n`);
  for (const file of readdirSync(join(from, 'lib')).filter((file) => file !== changed))
    symlinkSync(join(from, 'lib', file), join(root, 'lib', file));
  writeFileSync(join(root, 'lib', changed), change(readFileSync(join(from, 'lib', changed))));
  return root;
}

it.each([
  ['libc10.so', 0],
  ['libc10.so', 20],
  ['libc10.so', 0.1],
  ['libc10.so', 0.5],
  ['libc10.so', 0.9],
  ['libc10.so', 0.9999],
  ['libtorch.so', 0.5],
  ['libtorch.so', 0.99],
])('refuses a LibTorch whose %s is cut off at %d of it, instead of dying of it', (file, share) => {
  const root = copyWith(`cut-${file}-${share}`, file, (original) =>
    original.subarray(0, share < 1 ? Math.floor(share * original.length) : share),
  );
  const { code, message } = load({ LIBTORCH: root });
  expect(code).toBe('BRAIN3D_LIBTORCH');
  expect(message).toContain(join(root, 'lib', file));
  expect(message).toContain(`LibTorch ${BUILD.torchVersion} (CPU) in ${root} cannot be opened`);
  expect(message).toContain('install it again');
});

it('refuses one that lacks a library, naming it', () => {
  const root = copyWith('lacking', 'libtorch.so', (original) => original);
  rmSync(join(root, 'lib', 'libtorch_cpu.so'));
  const { code, message } = load({ LIBTORCH: root });
  expect(code).toBe('BRAIN3D_LIBTORCH');
  expect(message).toContain(join(root, 'lib', 'libtorch_cpu.so'));
});

it.each(['2.4.1', '2.12.1', '2.14.0', '1.13.1'])('refuses LibTorch %s, naming path and version', (version) => {
  const root = copyWith(`version-${version}`, 'libtorch.so', (original) => original);
  writeFileSync(join(root, 'version.py'), `__version__ = '${version}+cpu'\n`);
  const { code, message } = load({ LIBTORCH: root });
  expect(code).toBe('BRAIN3D_LIBTORCH');
  expect(message).toContain(`LIBTORCH (${root}): LibTorch ${version} (CPU), but the addon was built for`);
});

it('is not misled by LD_LIBRARY_PATH', () => {
  const other = join(home, 'misleading');
  mkdirSync(other);
  for (const file of ['libc10.so', 'libtorch_cpu.so', 'libtorch.so']) writeFileSync(join(other, file), 'no library');
  expect(load({ LIBTORCH: libtorch(), LD_LIBRARY_PATH: other })).toMatchObject({ info: { version: BUILD.version } });
});

it('refuses an addon that is cut off', () => {
  const addon = join(installed, 'prebuilds', `${process.platform}-${process.arch}`);
  const file = join(addon, readdirSync(addon).find((name) => name.endsWith('.node')) as string);
  const whole = readFileSync(file);
  try {
    writeFileSync(file, whole.subarray(0, whole.length / 2));
    const { code, message } = load({ LIBTORCH: libtorch() });
    expect(code).toBe('BRAIN3D_ADDON');
    expect(message).toContain(`${file}: expected at least`);
  } finally {
    writeFileSync(file, whole);
  }
});

it('refuses a process that holds another LibTorch, naming both', () => {
  // A link of another name to the same directory would be the same library; a copy of libc10.so is another.
  const other = join(home, 'other');
  mkdirSync(join(other, 'lib'), { recursive: true });
  execFileSync('cp', [join(libtorch(), 'lib', 'libc10.so'), join(other, 'lib')]);
  const loader = join(installed, 'prebuilds', `${process.platform}-${process.arch}`, 'loader', 'brain3d_loader.node');
  const before = `require(${JSON.stringify(loader)}).open([${JSON.stringify(join(other, 'lib', 'libc10.so'))}]);`;
  const { code, message } = load({ LIBTORCH: libtorch() }, before);
  expect(code).toBe('BRAIN3D_LIBTORCH');
  expect(message).toContain(join(other, 'lib', 'libc10.so'));
  expect(message).toContain(`${join(libtorch(), 'lib', 'libc10.so')} (LibTorch ${BUILD.torchVersion} (CPU))`);
});

it('refuses an Electron renderer', () => {
  const { code, message } = load({ LIBTORCH: libtorch() }, `process.type = 'renderer';`);
  expect(code).toBe('BRAIN3D_ADDON');
  expect(message).toMatch(/renderer/);
});

it('says where it looked if there is no addon for this platform', () => {
  const { code, message } = load({ npm_config_arch: 'riscv64' });
  expect(code).toBe('BRAIN3D_ADDON');
  expect(message).toContain(join(installed, 'prebuilds'));
});
