/**
 * Finds and loads LibTorch and then the addon. This is the only file that requires a `.node`. Nothing happens at
 * import; `loadAddon` does everything once per thread of JavaScript, and its errors say what was tried.
 */
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { Brain3DError } from '../base/errors';
import { truncation } from './elf';
import type { AddonBuild, LibTorchCandidate, LibTorchSearch } from './libtorch';
import { librariesToOpen, libtorchAt, libtorchError, majorMinor, resolveForRun } from './libtorch';
import type { NativeAddon, NativeLoader } from './surface';

export interface LoadOptions {
  /** The LibTorch directory; overrides `LIBTORCH`. */
  libtorch?: string | undefined;
}

/** The description that `doctor` shows. Everything that could not be found is null and `problem` says why. */
export interface BindingDescription {
  packageRoot: string;
  addonPath: string | null;
  loaderPath: string | null;
  build: AddonBuild | null;
  candidates: LibTorchCandidate[];
  libtorchRoot: string | null;
  problem: Error | null;
}

interface AddonFiles {
  addonPath: string;
  loaderPath: string;
  build: AddonBuild;
}

/** Causes that the dynamic linker words badly, each with a remedy. */
const SYMPTOMS: [pattern: RegExp, remedy: string][] = [
  [
    /GLIBC(XX)?_[\d.]+' not found/,
    'this system is older than the one that built it: build from source (npm run build)',
  ],
  [
    /undefined symbol/,
    'it was built against another LibTorch: rebuild it (npm run build), or set LIBTORCH to that one',
  ],
  [/it is cut off|file too short/, 'a download or a copy was interrupted: install it again'],
  [/invalid ELF header|wrong ELF class/, 'it was built for another platform: rebuild it here (npm run build)'],
  [/libcud|libnv|libnccl|libcu/, 'CUDA libraries are missing: set LIBTORCH to torch in an intact Python site-packages'],
  [/ERR_DLOPEN_DISABLED|no-addons/, 'Node was started with --no-addons: start it without'],
];

let loaded: { addon: NativeAddon; root: string; version: string } | undefined;

/** Returns the addon, with its LibTorch opened. @throws {Brain3DError} BRAIN3D_ADDON, BRAIN3D_LIBTORCH */
export function loadAddon(options: LoadOptions = {}): NativeAddon {
  if (loaded !== undefined) {
    refuseOtherLibTorch(loaded.root, options.libtorch);
    return loaded.addon;
  }
  refuseRenderer();
  const files = findAddonFiles(packageRoot());
  const { root, version } = findLibTorch(files.build, options);
  const loader = requireNative<NativeLoader>(files.loaderPath, 'The loader addon');
  openLibTorch(loader, root, files.build);
  loaded = { addon: requireNative<NativeAddon>(files.addonPath, 'The addon'), root, version };
  return loaded.addon;
}

/** Returns the version of the LibTorch in use, and loads it if necessary. @throws as `loadAddon` */
export function libtorchVersion(): string {
  loadAddon();
  return (loaded as NonNullable<typeof loaded>).version;
}

/** Describes what `loadAddon` would use, without opening anything. Does not throw. */
export function describeBinding(options: LoadOptions = {}): BindingDescription {
  const root = packageRoot();
  const description: BindingDescription = {
    packageRoot: root,
    addonPath: null,
    loaderPath: null,
    build: null,
    candidates: [],
    libtorchRoot: null,
    problem: null,
  };
  try {
    Object.assign(description, findAddonFiles(root));
    const build = description.build as AddonBuild;
    const { found, tried } = resolveForRun(searchFor(options), build);
    description.candidates = tried;
    description.libtorchRoot = found?.root ?? null;
    if (found === null) description.problem = libtorchError(tried, needOf(build));
  } catch (error) {
    description.problem = error as Error;
  }
  return description;
}

/**
 * The package's directory. lib/ and dist/ both lie directly in it, and this file in a folder of theirs. Native code
 * inside an Electron archive cannot be opened, so electron-builder unpacks it beside the archive.
 */
function packageRoot(): string {
  return resolve(__dirname, '..', '..').replace(`app.asar${sep}`, `app.asar.unpacked${sep}`);
}

function searchFor(options: LoadOptions): LibTorchSearch {
  return { packageRoot: packageRoot(), libtorch: options.libtorch, env: process.env };
}

function refuseRenderer(): void {
  if ((process as { type?: string }).type !== 'renderer') return;
  throw new Brain3DError(
    'BRAIN3D_ADDON',
    'brain3d does not run in an Electron renderer: load it in the main process or a utility process and send results.',
  );
}

function findAddonFiles(root: string): AddonFiles {
  const addonPath = findAddon(root);
  const directory = dirname(addonPath);
  // The file must not lie beside the addon: node-gyp-build takes any .node file there for the addon.
  const ownBuild = directory === join(root, 'build', 'Release') || directory === join(root, 'build', 'Debug');
  const loaderPath = join(ownBuild ? join(root, 'build') : directory, 'loader', 'brain3d_loader.node');
  const buildFile = join(directory, 'brain3d.build.json');
  for (const file of [loaderPath, buildFile]) {
    if (existsSync(file)) continue;
    throw new Brain3DError(
      'BRAIN3D_ADDON',
      `${addonPath} was found but ${file} is missing: the installation is incomplete. ${reinstall(root)}`,
    );
  }
  return { addonPath, loaderPath, build: readBuild(buildFile, root) };
}

function findAddon(root: string): string {
  const nodeGypBuild = require('node-gyp-build') as { path(directory: string): string };
  try {
    return nodeGypBuild.path(root);
  } catch (cause) {
    const target = `${process.platform}-${process.arch}`;
    throw new Brain3DError(
      'BRAIN3D_ADDON',
      [
        `There is no brain3d addon for ${target} (Node ${process.versions.node}). Tried:`,
        `  ${join(root, 'build', 'Release')}`,
        `  ${join(root, 'prebuilds', target)}`,
        reinstall(root),
      ].join('\n'),
      { cause },
    );
  }
}

function readBuild(file: string, root: string): AddonBuild {
  let build: Partial<AddonBuild>;
  try {
    build = JSON.parse(readFileSync(file, 'utf8'));
  } catch (cause) {
    throw new Brain3DError('BRAIN3D_ADDON', `${file} cannot be read. ${reinstall(root)}`, { cause });
  }
  if (typeof build.torchVersion === 'string' && build.cudaVersion !== undefined) return build as AddonBuild;
  throw new Brain3DError('BRAIN3D_ADDON', `${file} does not say which LibTorch the addon needs. ${reinstall(root)}`);
}

function reinstall(root: string): string {
  return existsSync(join(root, 'scripts', 'setup.mjs'))
    ? 'Build it: npm run build'
    : 'Install brain3d again, or build it from a checkout of its repository (npm run build).';
}

function needOf(build: AddonBuild): string {
  const cuda = build.cudaVersion === null ? '' : ` with CUDA ${build.cudaVersion.split('.')[0]}`;
  return `LibTorch ${majorMinor(build.torchVersion)}${cuda}`;
}

function findLibTorch(build: AddonBuild, options: LoadOptions): { root: string; version: string } {
  const { found, tried } = resolveForRun(searchFor(options), build);
  if (found?.root) return { root: found.root, version: found.version ?? build.torchVersion };
  throw libtorchError(tried, needOf(build));
}

/**
 * Opens LibTorch. Two copies of it in a process corrupt each other's registries, so a copy that another package opened
 * is used only if it is the very one that was found.
 */
function openLibTorch(loader: NativeLoader, root: string, build: AddonBuild): void {
  const ours = join(root, 'lib', 'libc10.so');
  const other = loader.mapped().find((path) => /^libc10\.so/.test(basename(path)) && !isSamePath(path, ours));
  if (other !== undefined) {
    throw new Brain3DError(
      'BRAIN3D_LIBTORCH',
      `Another LibTorch is already in this process: ${other} (${libtorchAt(dirname(dirname(other)))}); brain3d would ` +
        `use ${ours} (${libtorchAt(root)}). Two copies cannot work together: set LIBTORCH to ${dirname(dirname(other))}, or load brain3d in a process of its own.`,
    );
  }
  const libraries = librariesToOpen(root, build.cudaVersion !== null);
  try {
    for (const library of libraries) requireWhole(library);
    loader.open(libraries);
  } catch (cause) {
    throw linkError('BRAIN3D_LIBTORCH', `${libtorchAt(root)} in ${root} cannot be opened`, cause);
  }
}

function refuseOtherLibTorch(root: string, wanted: string | undefined): void {
  if (wanted === undefined || [wanted, join(wanted, 'torch')].some((path) => isSamePath(path, root))) return;
  throw new Brain3DError(
    'BRAIN3D_LIBTORCH',
    `LibTorch was already loaded from ${root} and cannot be replaced by ${wanted}: state it at the first use.`,
  );
}

function requireNative<T>(file: string, what: string): T {
  try {
    requireWhole(file);
    return require(file) as T;
  } catch (cause) {
    throw linkError('BRAIN3D_ADDON', `${what} ${file} cannot be loaded`, cause);
  }
}

function requireWhole(file: string): void {
  const missing = truncation(file);
  if (missing !== null) throw new Error(`${file}: ${missing}`);
}

function linkError(code: 'BRAIN3D_ADDON' | 'BRAIN3D_LIBTORCH', what: string, cause: unknown): Brain3DError {
  const { code: nodeCode = '', message } = cause as { code?: string; message: string };
  const remedy = SYMPTOMS.find(([pattern]) => pattern.test(`${nodeCode} ${message}`))?.[1];
  return new Brain3DError(code, `${what}: ${message}${remedy === undefined ? '' : `\n${remedy}`}`, { cause });
}

function isSamePath(a: string, b: string): boolean {
  // If a mapped file has been deleted since, only its name can be compared.
  return existsSync(a) && existsSync(b) ? realpathSync(a) === realpathSync(b) : a === b;
}
