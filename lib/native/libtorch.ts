/**
 * Finds LibTorch on this machine. It loads nothing: the set-up scripts use it before any addon exists, `binding.ts`
 * uses it at run time. It looks in this order: the `libtorch` option or `LIBTORCH`; the torch that `python3` can
 * import; the project's own `.libtorch/`. A place named explicitly is never replaced by another, not even when it is
 * unfit.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { Brain3DError } from '../base/errors';

export type LibTorchSource = 'option libtorch' | 'LIBTORCH' | 'python3' | '.libtorch';

export interface LibTorchCandidate {
  source: LibTorchSource;
  /** The directory or program looked at; null if the source names none. */
  place: string | null;
  /** The directory that holds `lib/libtorch.so`; null if none was found there. */
  root: string | null;
  /** The version, such as `2.13.0`, without a local part such as `+cpu`. */
  version: string | null;
  /** The CUDA version, such as `13.0`; null for a CPU build. */
  cudaVersion: string | null;
  /** The reason why this one cannot be used; null if it can. */
  unfit: string | null;
}

export interface LibTorchSearch {
  /** The directory of package.json. */
  packageRoot: string;
  /** Overrides `LIBTORCH`. */
  libtorch?: string | undefined;
  env: NodeJS.ProcessEnv;
}

/** The versions that an addon was compiled against, from `brain3d.build.json` beside it. */
export interface AddonBuild {
  version: string;
  torchVersion: string;
  cudaVersion: string | null;
}

export interface LibTorchResolution {
  found: LibTorchCandidate | null;
  /** Everything looked at, in order, with `found` last. */
  tried: LibTorchCandidate[];
}

/**
 * Finds torch without importing it (30 ms instead of seconds). `-I` keeps the working directory off the path, so that a
 * planted ./torch cannot be found. The user's own choices (absolute PYTHONPATH entries, the user site) are put back.
 */
const PYTHON_PROBE = `
import importlib.util, json, os, site, sys
chosen = [p for p in os.environ.get('PYTHONPATH', '').split(os.pathsep) if os.path.isabs(p)]
user = [site.getusersitepackages()] if sys.prefix == sys.base_prefix and not os.environ.get('PYTHONNOUSERSITE') else []
sys.path[:] = chosen + sys.path + user
spec = importlib.util.find_spec('torch')
print(json.dumps({'python': sys.executable, 'torch': spec.origin if spec else None}))
`;

/**
 * The time limit for python. It is far above what a cold disk needs, and short enough to report a python that waits for
 * something.
 */
const PYTHON_TIMEOUT_MS = 20_000;

/** Returns the first candidate that the addon can be compiled against: 2.11 <= version < 2.15. */
export function resolveForBuild(search: LibTorchSearch): LibTorchResolution {
  return firstFit(search, unfitForBuild);
}

/** Returns the first candidate that an addon built as `build` says can run on. */
export function resolveForRun(search: LibTorchSearch, build: AddonBuild): LibTorchResolution {
  return firstFit(search, (candidate) => unfitForRun(candidate, build));
}

/** Lists the libraries in the order in which they must be opened; a CUDA addon needs the CUDA ones too. */
export function librariesToOpen(root: string, withCuda: boolean): string[] {
  const lib = join(root, 'lib');
  const cuda = withCuda ? ['libc10_cuda.so', 'libtorch_cuda.so'] : [];
  const names = ['libc10.so', 'libtorch_cpu.so', ...cuda, 'libtorch.so'];
  return [...bundledOpenMp(lib), ...bundledOpenMp(join(root, '..', 'torch.libs')), ...names.map((n) => join(lib, n))];
}

/** Makes the error that says what was needed, every place tried with what was found there, and what to do. */
export function libtorchError(tried: LibTorchCandidate[], needed: string): Brain3DError {
  const lines = tried.map((candidate) => `  ${describeCandidate(candidate)}`);
  return new Brain3DError(
    'BRAIN3D_LIBTORCH',
    [
      `No fitting LibTorch was found: brain3d needs ${needed}. Tried, in this order:`,
      ...lines,
      'Do one of these:',
      '  - set LIBTORCH to the directory that holds lib/libtorch.so (the torch directory in a Python site-packages is one)',
      '  - install torch for the python3 on PATH: python3 -m pip install torch==2.13.0',
      '  - in a checkout of brain3d: npm run build, which installs one into .libtorch/',
    ].join('\n'),
  );
}

/** Describes a candidate on one line: its source, its place and what is there. */
export function describeCandidate(candidate: LibTorchCandidate): string {
  const place = candidate.root ?? candidate.place;
  const flavour = candidate.cudaVersion === null ? 'CPU' : `CUDA ${candidate.cudaVersion}`;
  const what = candidate.version === null ? '' : `LibTorch ${candidate.version} (${flavour})`;
  const state = candidate.unfit ?? 'fits';
  return `${candidate.source}${place === null ? '' : ` (${place})`}: ${what === '' ? state : `${what}, ${state}`}`;
}

/** Returns `LibTorch 2.13.0 (CPU)` for messages. */
export function libtorchAt(root: string): string {
  const found = readVersion(root);
  if (found === null) return 'LibTorch of unknown version';
  return `LibTorch ${found.version} (${found.cudaVersion === null ? 'CPU' : `CUDA ${found.cudaVersion}`})`;
}

/** Returns `2.13` for `2.13.0`. */
export function majorMinor(version: string): string {
  return version.split('.').slice(0, 2).join('.');
}

function firstFit(search: LibTorchSearch, unfit: (candidate: LibTorchCandidate) => string | null): LibTorchResolution {
  const tried: LibTorchCandidate[] = [];
  for (const candidate of candidates(search)) {
    const judged = { ...candidate, unfit: candidate.unfit ?? unfit(candidate) };
    tried.push(judged);
    if (judged.unfit === null) return { found: judged, tried };
  }
  return { found: null, tried };
}

/** Yields candidates lazily: python3 is asked only when nothing was named explicitly. */
function* candidates(search: LibTorchSearch): Generator<LibTorchCandidate> {
  if (search.libtorch !== undefined && search.libtorch !== '') {
    yield inspect('option libtorch', resolve(search.libtorch));
    return;
  }
  const named = search.env.LIBTORCH;
  if (named !== undefined && named !== '') {
    yield inspect('LIBTORCH', resolve(named));
    return;
  }
  yield nothingAt('LIBTORCH', null, 'not set');
  yield fromPython(search.env);
  yield inspect('.libtorch', join(search.packageRoot, '.libtorch', 'torch'));
}

function inspect(source: LibTorchSource, place: string): LibTorchCandidate {
  if (!existsSync(place)) return nothingAt(source, place, 'does not exist');
  // The place is the directory itself, or a site-packages directory that holds torch/.
  const root = [place, join(place, 'torch')].find((dir) => existsSync(join(dir, 'lib', 'libtorch.so')));
  if (root === undefined) return nothingAt(source, place, 'holds no lib/libtorch.so');
  const version = readVersion(root);
  if (version === null) return { ...nothingAt(source, place, 'its version cannot be read'), root };
  return { source, place, root, ...version, unfit: null };
}

function fromPython(env: NodeJS.ProcessEnv): LibTorchCandidate {
  let answer: { python: string; torch: string | null };
  try {
    const text = execFileSync('python3', ['-I', '-c', PYTHON_PROBE], {
      encoding: 'utf8',
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: PYTHON_TIMEOUT_MS,
    });
    answer = JSON.parse(text);
  } catch (error) {
    return nothingAt('python3', null, pythonFailure(error));
  }
  if (answer.torch === null) return nothingAt('python3', answer.python, 'has no torch');
  return inspect('python3', dirname(answer.torch));
}

function pythonFailure(error: unknown): string {
  const { code, stderr, message } = error as { code?: string; stderr?: string; message: string };
  if (code === 'ENOENT') return 'there is no python3 on PATH';
  if (code === 'ETIMEDOUT') return `did not answer within ${PYTHON_TIMEOUT_MS / 1000} s`;
  const reason = stderr?.trim().split('\n').at(-1);
  return `could not be asked: ${reason || message}`;
}

/** Reads the version as text: importing torch takes seconds, and a LibTorch archive has no Python to import. */
function readVersion(root: string): { version: string; cudaVersion: string | null } | null {
  const python = readIfPresent(join(root, 'version.py'));
  const archive = readIfPresent(join(root, 'build-version'));
  const full = python?.match(/^__version__\s*=\s*['"]([^'"]+)['"]/m)?.[1] ?? archive?.trim() ?? headerVersion(root);
  const version = full?.match(/^\d+\.\d+(\.\d+)?/)?.[0];
  if (version === undefined) return null;
  if (!existsSync(join(root, 'lib', 'libtorch_cuda.so'))) return { version, cudaVersion: null };
  const stated = python?.match(/^cuda\b[^=\n]*=\s*['"]([^'"]+)['"]/m)?.[1];
  const local = full?.match(/\+cu(\d+)(\d)$/);
  return { version, cudaVersion: stated ?? (local ? `${local[1]}.${local[2]}` : 'unknown') };
}

/**
 * Reads the version from headers, which is all that a distribution's package of LibTorch has. LibTorch 2.12 moved the
 * macros.
 */
function headerVersion(root: string): string | undefined {
  const places = ['include/torch/headeronly/version.h', 'include/torch/csrc/api/include/torch/version.h'];
  const text = places.map((place) => readIfPresent(join(root, place)) ?? '').join('\n');
  const parts = ['MAJOR', 'MINOR', 'PATCH'].map((part) => text.match(`TORCH_VERSION_${part} +(\\d+)`)?.[1]);
  return parts.includes(undefined) ? undefined : parts.join('.');
}

function unfitForBuild(candidate: LibTorchCandidate): string | null {
  const [major, minor] = majorMinor(candidate.version ?? '')
    .split('.')
    .map(Number);
  if (major !== 2 || minor === undefined || minor < 11 || minor > 14) return 'but 2.11 to 2.14 are supported';
  const config = join(candidate.root ?? '', 'share', 'cmake', 'Torch', 'TorchConfig.cmake');
  return existsSync(config) ? null : 'but it has no headers and CMake files (share/cmake/Torch) to build against';
}

/**
 * The reason why a candidate cannot run the addon. LibTorch's C++ interface holds within a minor version only, so this
 * check comes before anything is opened.
 */
function unfitForRun(candidate: LibTorchCandidate, build: AddonBuild): string | null {
  const wanted = majorMinor(build.torchVersion);
  if (majorMinor(candidate.version ?? '') !== wanted) return `but the addon was built for ${wanted}`;
  if (build.cudaVersion === null) return null;
  if (candidate.cudaVersion === null) return `but the addon was built for CUDA ${build.cudaVersion}`;
  if (candidate.cudaVersion === 'unknown') return null;
  const [has, needs] = [candidate.cudaVersion, build.cudaVersion].map((version) => version.split('.')[0]);
  return has === needs ? null : `but the addon was built for CUDA ${needs}`;
}

/** Finds the OpenMP runtime that wheels bring with them, plain or with a hash in its name. */
function bundledOpenMp(dir: string): string[] {
  if (!existsSync(dir)) return [];
  const names = readdirSync(dir).filter((name) => /^libgomp(-[^/]*)?\.so\.1(\.\d+)*$/.test(name));
  return names.sort().map((name) => join(dir, name));
}

function nothingAt(source: LibTorchSource, place: string | null, unfit: string): LibTorchCandidate {
  return { source, place, root: null, version: null, cudaVersion: null, unfit };
}

function readIfPresent(file: string): string | undefined {
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
}
