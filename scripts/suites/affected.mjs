// Finds the tests that a change can affect: the files of the checkout as a graph of who names whom, read from their text. No table of
// names: what is imported, included, or given as a path in a string is an edge.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { runCommand } from '../steps/command.mjs';

const SCRIPT = /\.([cm]?[jt]s)$/;
const NATIVE = /\.(h|cpp|cu|cuh)$/;
/** The module that loads the addon; a file that names it depends on all native code. */
const ADDON = 'brain3d.node';
/** Named by so many that being named says nothing. */
const TOO_WIDE = new Set(['', '.', 'lib', 'dist', 'test', 'native', 'scripts']);

async function linesOf(root, args) {
  const output = await runCommand('git', args, { cwd: root });
  return output.split('\n').filter((line) => line !== '');
}

/** Files that differ from `ref`, in the index, the working tree or because git does not know them, also those deleted. */
export async function changedFiles(root, ref) {
  const changed = await linesOf(root, ['diff', '--name-only', '--no-renames', ref, '--']);
  return [...changed, ...(await linesOf(root, ['ls-files', '--others', '--exclude-standard']))];
}

/** The files of the checkout that can name others. */
export async function sourceFiles(root) {
  const files = await linesOf(root, ['ls-files', '--cached', '--others', '--exclude-standard']);
  return [...new Set(files)].filter((file) => (SCRIPT.test(file) || NATIVE.test(file)) && existsSync(join(root, file)));
}

/** File -> its distance from the nearest of `changed`, for all that name one of them, or name what names one, and so on. */
export function reach(root, files, changed) {
  const named = new Map();
  for (const file of files) {
    for (const target of edgesOf(root, file)) named.set(target, [...(named.get(target) ?? []), file]);
  }
  const distances = new Map(changed.flatMap((file) => [file, ...foldersOf(file)]).map((name) => [name, 0]));
  const queue = [...distances.keys()];
  for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
    for (const next of named.get(name) ?? []) {
      if (distances.has(next)) continue;
      distances.set(next, distances.get(name) + 1);
      queue.push(next);
    }
  }
  return distances;
}

/** `a/b` and `a/b/c` of a/b/c/d: a test that names a folder reads what is in it. */
function foldersOf(file) {
  const parts = file.split('/').slice(0, -1);
  return parts.map((_, index) => parts.slice(0, index + 1).join('/')).filter((folder) => !TOO_WIDE.has(folder));
}

function edgesOf(root, file) {
  const text = readFileSync(join(root, file), 'utf8');
  return new Set(NATIVE.test(file) ? includesOf(root, file, text) : namesOf(root, file, text));
}

/** Headers, and the code behind each: x.h stands for x.cpp as well. */
function includesOf(root, file, text) {
  const names = [...text.matchAll(/^\s*#\s*include\s*[<"]([^>"]+)[>"]/gm)].map(([, name]) => name);
  const folders = ['native', 'test/native', dirname(file)];
  const found = names.flatMap((name) =>
    folders.map((folder) => join(folder, name)).filter((path) => existsSync(join(root, path))),
  );
  const behind = file.endsWith('.h') ? ['.cpp', '.cu'].map((end) => file.replace(/\.h$/, end)) : [];
  return [...found, ...behind];
}

function namesOf(root, file, text) {
  const targets = [];
  for (const [, names, from] of text.matchAll(
    /(?:import|export)\s+(?:type\s+)?\{([^}]*)\}\s*from\s*['"]([^'"\n]+)['"]/g,
  )) {
    const module = resolved(root, file, from);
    if (module !== null) targets.push(...exporters(root, module, names));
  }
  const rest = text.replace(/(?:import|export)\s+(?:type\s+)?\{[^}]*\}\s*from\s*['"][^'"\n]+['"]/g, '');
  // The parts of join(ROOT, 'dist', 'cli.js') are one path.
  const literals = [...rest.matchAll(/['"`]([^'"`\n]+)['"`](?:,\s*['"`]([^'"`\n]+)['"`])?/g)];
  for (const [, first, second] of literals) {
    const paths = second === undefined ? [first] : [first, second, `${first}/${second}`];
    targets.push(...paths.map((path) => resolved(root, file, path)).filter((path) => path !== null));
    if (paths.some((path) => path.endsWith(ADDON))) targets.push(ADDON);
  }
  return targets;
}

/** The modules that `names` come from: those behind `module` where it only passes them on. */
function exporters(root, module, names) {
  const text = readFileSync(join(root, module), 'utf8');
  const passed = new Map();
  for (const [, list, from] of text.matchAll(/export\s+(?:type\s+)?\{([^}]*)\}\s*from\s*['"]([^'"\n]+)['"]/g)) {
    for (const name of nameList(list)) passed.set(name.split(/\s+as\s+/).at(-1), resolved(root, module, from));
  }
  return nameList(names).map((name) => passed.get(name.split(/\s+as\s+/)[0]) ?? module);
}

const nameList = (list) =>
  list
    .split(',')
    .map((name) => name.trim().replace(/^type\s+/, ''))
    .filter((name) => name !== '');

/** The file or folder of the checkout that a string names from `file`, or null. What is built counts as its source. */
function resolved(root, file, name) {
  if (name === 'brain3d') return 'lib/index.ts';
  if (/[\s*?<>|{}$]/.test(name) || name.startsWith('/')) return null;
  const path = name.startsWith('.') ? relative(root, join(root, dirname(file), name)) : name;
  if (path.startsWith('..')) return null;
  const source = path.replace(/^dist(?=\/)/, 'lib');
  const stem = source.replace(/\.(m?)js$/, '');
  const candidates = [source, `${stem}.ts`, `${stem}.mts`, `${source}.js`, `${source}.mjs`, `${source}/index.ts`];
  const found = candidates.find((candidate) => existsSync(join(root, candidate)));
  return found === undefined || TOO_WIDE.has(found) ? null : found;
}

/** Changed files, and the addon if native code changed. */
export function seeds(changed) {
  const isNative = changed.some((file) => /^(native|third_party|cmake)\/|^CMakeLists\.txt$/.test(file));
  return isNative ? [...changed, ADDON] : changed;
}
