import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const ROOT = resolve(__dirname, '../..');
const ADDON = join(ROOT, 'build', 'Release', 'brain3d.node');

const run = (program: string, args: string[]) => execFileSync(program, args, { cwd: ROOT, encoding: 'utf8' });

describe('the published package', () => {
  let files: string[];
  beforeAll(() => {
    files = JSON.parse(run('npm', ['pack', '--dry-run', '--json', '--ignore-scripts']))[0].files.map(
      ({ path }: { path: string }) => path,
    );
  });

  it('holds what is imported, typed and run', () => {
    const wanted = [
      'index.js',
      'index.mjs',
      'index.d.ts',
      'index.d.mts',
      'cli.js',
      'native/binding.js',
      'native/libtorch.js',
    ];
    expect(files).toEqual(expect.arrayContaining(wanted.map((name) => `dist/${name}`)));
    const anatomy = ['t1', 'regions'].map((name) => `assets/anatomy/colin27_${name}_1mm.nii.gz`);
    expect(files).toEqual(expect.arrayContaining([...anatomy, 'dist/simulate/simulate-worker.js']));
    expect(files).toEqual(expect.arrayContaining(['package.json', 'CMakeLists.txt', 'native/loader/loader.cpp']));
  });

  it('holds the prebuilds whole, if there are any', () => {
    const folder = join(ROOT, 'prebuilds');
    for (const target of existsSync(folder) ? readdirSync(folder) : []) {
      const held = files.filter((path) => path.startsWith(`prebuilds/${target}/`)).join('\n');
      expect(held).toMatch(/\/brain3d[^/]*\.node$/m);
      expect(held).toMatch(/\/brain3d\.build\.json$/m);
      expect(held).toMatch(/\/loader\/brain3d_loader\.node$/m);
    }
  });

  it('gives npm nothing to compile or run at install', () => {
    expect(files).not.toContain('binding.gyp');
    const { gypfile, scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    expect(gypfile).toBe(false);
    for (const name of ['preinstall', 'install', 'postinstall', 'prepare', 'prepublish']) {
      expect(scripts).not.toHaveProperty(name);
    }
  });

  it('holds nothing of development', () => {
    expect(files.filter((path) => /^(test|tools|scripts|bench|build|\.)/.test(path))).toEqual([]);
  });
});

describe('package-lock.json', () => {
  // A lock file written where some platforms' packages are not to be had lacks them, and `npm ci` then refuses it.
  it('names every dependency, so that npm ci accepts it', () => {
    const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8'));
    const absent: string[] = [];
    for (const [path, entry] of Object.entries<Record<string, Record<string, string>>>(packages)) {
      const names = Object.keys({ ...entry.dependencies, ...entry.optionalDependencies });
      absent.push(...names.filter((name) => !isLocked(packages, path, name)).map((name) => `${path}: ${name}`));
    }
    expect(absent).toEqual([]);
  });

  /** Whether `name` is found from `path` as Node would look for it. */
  function isLocked(packages: object, path: string, name: string): boolean {
    for (let from = path; ; from = from.slice(0, Math.max(0, from.lastIndexOf('node_modules/') - 1))) {
      if (`${from === '' ? '' : `${from}/`}node_modules/${name}` in packages) return true;
      if (from === '') return false;
    }
  }
});

describe('the addon', () => {
  const undefinedSymbols = () => run('nm', ['-D', '--undefined-only', ADDON]);

  it('makes no external ArrayBuffers, which Electron refuses', () => {
    expect(undefinedSymbols()).not.toMatch(/napi_create_external_(array)?buffer/);
  });

  it('uses Node-API only, so that one binary serves every Node and Electron', () => {
    const demangled = run('nm', ['-D', '--undefined-only', '--demangle', ADDON]);
    expect(demangled).toMatch(/napi_create_function/);
    expect(demangled).not.toMatch(/\b(v8|node)::/);
  });

  it('carries no path of the machine that built it to look for libraries in', () => {
    expect(run('readelf', ['-d', ADDON])).not.toMatch(/R(UN)?PATH/);
  });

  it('has no writable table of functions, and checks its stack and its copies', () => {
    for (const file of [ADDON, join(ROOT, 'build', 'loader', 'brain3d_loader.node')]) {
      expect(run('readelf', ['-d', file])).toMatch(/BIND_NOW/);
      expect(run('readelf', ['-lW', file])).toMatch(/GNU_RELRO/);
    }
    expect(undefinedSymbols()).toMatch(/__stack_chk_fail/);
    expect(undefinedSymbols()).toMatch(/__(?!stack)\w+_chk@/);
  });

  it('is loaded by a loader that needs no LibTorch', () => {
    expect(run('readelf', ['-d', join(ROOT, 'build', 'loader', 'brain3d_loader.node')])).not.toMatch(/torch|c10/);
  });
});
