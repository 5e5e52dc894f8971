import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { resolveForRun } from '../../lib/libtorch';

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
    const { loadAddon } = require(${JSON.stringify(join(installed, 'dist', 'binding.js'))});
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
  expect(message).toContain(join(libtorch(), 'lib', 'libc10.so'));
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
