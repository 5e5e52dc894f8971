import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { librariesToOpen, libtorchError, resolveForBuild, resolveForRun } from '../../../lib/native/libtorch';

const BUILD = { version: '0.1.0', torchVersion: '2.13.0', cudaVersion: null };
const CUDA_BUILD = { ...BUILD, cudaVersion: '13.0.48' };

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'brain3d-libtorch-'));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

function write(file: string, text = ''): string {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  return file;
}

interface FakeTorch {
  version?: string;
  cuda?: string;
  headers?: boolean;
}

/** Files by which a torch directory is told, without its code. */
function fakeTorch(root: string, { version = '2.13.0+cpu', cuda, headers = true }: FakeTorch = {}): string {
  write(join(root, 'lib', 'libtorch.so'));
  const cudaText = cuda === undefined ? 'None' : `'${cuda}'`;
  write(join(root, 'version.py'), `__version__ = '${version}'\ndebug = False\ncuda: Optional[str] = ${cudaText}\n`);
  if (cuda !== undefined) write(join(root, 'lib', 'libtorch_cuda.so'));
  if (headers) write(join(root, 'share', 'cmake', 'Torch', 'TorchConfig.cmake'));
  return root;
}

/** A python3 on a PATH of its own that answers as `script` says. */
function fakePython(script: string): NodeJS.ProcessEnv {
  const file = write(join(home, 'bin', 'python3'), `#!/bin/sh\n${script}\n`);
  chmodSync(file, 0o755);
  return { PATH: dirname(file) };
}

function pythonWith(torch: string | null): NodeJS.ProcessEnv {
  const origin = torch === null ? null : join(torch, '__init__.py');
  return fakePython(`echo '${JSON.stringify({ python: '/usr/bin/python3', torch: origin })}'`);
}

const NO_PYTHON = { PATH: '/nonexistent' };

describe('order', () => {
  const all = () => {
    fakeTorch(join(home, 'package', '.libtorch', 'torch'));
    return { ...pythonWith(fakeTorch(join(home, 'site', 'torch'))), LIBTORCH: fakeTorch(join(home, 'named')) };
  };

  it('takes the option first, then LIBTORCH, then python3, then .libtorch', () => {
    const env = all();
    const packageRoot = join(home, 'package');
    const found = (libtorch: string | undefined, variables: NodeJS.ProcessEnv) =>
      resolveForRun({ packageRoot, libtorch, env: variables }, BUILD).found?.root;
    expect(found(fakeTorch(join(home, 'option')), env)).toBe(join(home, 'option'));
    expect(found(undefined, env)).toBe(join(home, 'named'));
    expect(found(undefined, { ...env, LIBTORCH: undefined })).toBe(join(home, 'site', 'torch'));
    expect(found(undefined, NO_PYTHON)).toBe(join(packageRoot, '.libtorch', 'torch'));
  });

  it('accepts a site-packages directory that holds torch/', () => {
    fakeTorch(join(home, 'site', 'torch'));
    const search = { packageRoot: home, env: { LIBTORCH: join(home, 'site') } };
    expect(resolveForRun(search, BUILD).found?.root).toBe(join(home, 'site', 'torch'));
  });

  it('does not replace a LIBTORCH that is wrong', () => {
    const { found, tried } = resolveForRun(
      { packageRoot: join(home, 'package'), env: { ...all(), LIBTORCH: home } },
      BUILD,
    );
    expect(found).toBeNull();
    expect(tried).toMatchObject([{ source: 'LIBTORCH', unfit: 'holds no lib/libtorch.so' }]);
  });

  it('goes on from an unfit torch of python3 to .libtorch, and keeps the reason', () => {
    const packageRoot = join(home, 'package');
    fakeTorch(join(packageRoot, '.libtorch', 'torch'));
    const env = pythonWith(fakeTorch(join(home, 'site', 'torch'), { version: '2.12.1' }));
    const { found, tried } = resolveForRun({ packageRoot, env }, BUILD);
    expect(found?.source).toBe('.libtorch');
    expect(tried[1]?.unfit).toBe('but the addon was built for 2.13');
  });
});

describe('fitness', () => {
  const judged = (torch: FakeTorch, build: typeof BUILD | typeof CUDA_BUILD) => {
    const env = { LIBTORCH: fakeTorch(join(home, 'torch'), torch) };
    return resolveForRun({ packageRoot: home, env }, build).tried[0]?.unfit;
  };

  it.each([
    [{ version: '2.13.1+cpu' }, BUILD, null],
    [{ version: '2.13.0+cu130', cuda: '13.0' }, BUILD, null],
    [{ version: '2.14.0' }, BUILD, 'but the addon was built for 2.13'],
    [{ version: '2.13.0+cpu' }, CUDA_BUILD, 'but the addon was built for CUDA 13.0.48'],
    [{ version: '2.13.0+cu130', cuda: '13.2' }, CUDA_BUILD, null],
    [{ version: '2.13.0+cu128', cuda: '12.8' }, CUDA_BUILD, 'but the addon was built for CUDA 13'],
  ])('at run time: %j', (torch, build, unfit) => expect(judged(torch, build)).toBe(unfit));

  it.each([
    ['2.10.0', false],
    ['2.11.0', true],
    ['2.14.1+cu130', true],
    ['2.15.0', false],
    ['3.0.0', false],
  ])('at build time: %s', (version, fits) => {
    const env = { LIBTORCH: fakeTorch(join(home, 'torch'), { version }) };
    expect(resolveForBuild({ packageRoot: home, env }).found !== null).toBe(fits);
  });

  it('rejects a torch without headers at build time only', () => {
    const env = { LIBTORCH: fakeTorch(join(home, 'torch'), { headers: false }) };
    expect(resolveForBuild({ packageRoot: home, env }).tried[0]?.unfit).toMatch(/no headers/);
    expect(resolveForRun({ packageRoot: home, env }, BUILD).found).not.toBeNull();
  });

  it('reads the version of an unpacked archive and of bare headers', () => {
    const archive = join(home, 'archive');
    write(join(archive, 'lib', 'libtorch.so'));
    write(join(archive, 'lib', 'libtorch_cuda.so'));
    write(join(archive, 'build-version'), '2.13.0+cu130\n');
    const headers = join(home, 'headers');
    write(join(headers, 'lib', 'libtorch.so'));
    const macros = '#define TORCH_VERSION_MAJOR 2\n#define TORCH_VERSION_MINOR 13\n#define TORCH_VERSION_PATCH 0\n';
    write(join(headers, 'include', 'torch', 'headeronly', 'version.h'), macros);
    const find = (LIBTORCH: string) => resolveForRun({ packageRoot: home, env: { LIBTORCH } }, BUILD).found;
    expect(find(archive)).toMatchObject({ version: '2.13.0', cudaVersion: '13.0' });
    expect(find(headers)).toMatchObject({ version: '2.13.0', cudaVersion: null });
  });
});

describe('reasons', () => {
  const reason = (env: NodeJS.ProcessEnv) =>
    resolveForRun({ packageRoot: home, env }, BUILD).tried.find(({ source }) => source === 'python3')?.unfit;

  it('tells a missing, a torchless and a broken python3 apart', () => {
    expect(reason(NO_PYTHON)).toBe('there is no python3 on PATH');
    expect(reason(pythonWith(null))).toBe('has no torch');
    expect(reason(fakePython('echo broken beyond use >&2; exit 3'))).toBe('could not be asked: broken beyond use');
  });

  it('asks python without running a torch.py of the working directory', () => {
    const planted = write(join(home, 'torch.py'), 'raise SystemExit("ran")');
    const before = process.cwd();
    process.chdir(home);
    try {
      const { tried } = resolveForRun({ packageRoot: home, env: process.env }, BUILD);
      expect(JSON.stringify(tried)).not.toContain(planted);
    } finally {
      process.chdir(before);
    }
  });

  it('lists every place, what was found there and what to do', () => {
    const env = pythonWith(fakeTorch(join(home, 'site', 'torch'), { version: '2.12.0+cpu' }));
    const { tried } = resolveForRun({ packageRoot: home, env }, BUILD);
    const error = libtorchError(tried, 'LibTorch 2.13');
    expect(error.code).toBe('BRAIN3D_LIBTORCH');
    expect(error.message.split('\n')).toEqual([
      'No fitting LibTorch was found: brain3d needs LibTorch 2.13. Tried, in this order:',
      '  LIBTORCH: not set',
      `  python3 (${join(home, 'site', 'torch')}): LibTorch 2.12.0 (CPU), but the addon was built for 2.13`,
      `  .libtorch (${join(home, '.libtorch', 'torch')}): does not exist`,
      'Do one of these:',
      expect.stringContaining('set LIBTORCH'),
      expect.stringContaining('pip install torch'),
      expect.stringContaining('npm run build'),
    ]);
  });
});

describe('libraries', () => {
  it('opens OpenMP first and CUDA only for a CUDA addon', () => {
    const root = fakeTorch(join(home, 'torch'));
    write(join(root, 'lib', 'libgomp-24e2ab19.so.1'));
    write(join(home, 'torch.libs', 'libgomp.so.1.0.0'));
    const names = (withCuda: boolean) => librariesToOpen(root, withCuda).map((path) => path.slice(home.length + 1));
    expect(names(false)).toEqual([
      'torch/lib/libgomp-24e2ab19.so.1',
      'torch.libs/libgomp.so.1.0.0',
      'torch/lib/libc10.so',
      'torch/lib/libtorch_cpu.so',
      'torch/lib/libtorch.so',
    ]);
    expect(names(true).slice(4)).toEqual([
      'torch/lib/libc10_cuda.so',
      'torch/lib/libtorch_cuda.so',
      'torch/lib/libtorch.so',
    ]);
  });
});
