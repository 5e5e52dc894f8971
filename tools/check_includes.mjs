#!/usr/bin/env node
// Enforces which directory of native/ may include which (docs/architecture.md draws the same table; both must agree),
// that only napi/ and loader/ know Node, and that .cu files compile without ATen.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/** Directory of native/ -> directories it may include, besides itself. The deepest one named here that holds a file is
 * its layer: `io` has all of `io/nifti`, while the folders of `models` are layers of their own. */
const LAYERS = {
  base: [],
  device: ['base'],
  ops: ['base', 'device'],
  nn: ['base', 'device', 'ops'],
  io: ['base'],
  image: ['base'],
  strip: ['base', 'image'],
  simulate: ['base', 'image', 'io'],
  volume: ['base', 'device', 'image', 'io', 'ops', 'strip'],
  weights: ['base', 'device', 'io', 'nn'],
  'models/language': ['base', 'device', 'nn', 'ops', 'weights'],
  'models/vision': ['base', 'device', 'nn', 'ops', 'weights'],
  'models/text': ['base', 'device', 'nn', 'ops', 'weights'],
  'models/brain3d': ['base', 'device', 'io', 'models/language', 'models/vision', 'nn', 'ops', 'weights'],
  'models/baselines': ['base', 'device', 'io', 'models/language', 'models/vision', 'nn', 'ops', 'weights'],
  generate: ['base', 'device', 'models/brain3d', 'models/language', 'nn', 'ops'],
  train: ['base', 'device', 'io', 'models/brain3d', 'models/language', 'models/vision', 'nn', 'ops', 'volume', 'weights'],
  napi: [
    ...['base', 'device', 'generate', 'image', 'io', 'models/brain3d', 'models/language', 'models/text', 'models/vision'],
    ...['nn', 'ops', 'simulate', 'strip', 'train', 'volume', 'weights'],
  ],
  loader: [],
};
const KNOWS_NODE = ['napi', 'loader'];
const TABLE_AT = 'tools/check_includes.mjs and docs/architecture.md';
const SOURCE = new Set(['.h', '.cpp', '.cu', '.cuh']);

/** The layer of a folder of native/ ("io/nifti"), or null. */
function layerOf(folder) {
  const parts = folder.split('/');
  for (let count = parts.length; count > 0; count--) {
    const name = parts.slice(0, count).join('/');
    if (name in LAYERS) return name;
  }
  return null;
}

/** Problems of one file, given its text. */
export function includeProblems(path, text) {
  const folder = dirname(path).split('/').slice(1).join('/');
  const layer = layerOf(folder);
  if (layer === null) return [`${path}: native/${folder} is not a layer; add it to ${TABLE_AT}`];
  const problems = [];
  for (const [index, line] of text.split('\n').entries()) {
    const include = /^\s*#\s*include\s*([<"])([^>"]+)[>"]/.exec(line);
    if (!include) continue;
    const problem = includeProblem(path, layer, include[1] === '<', include[2]);
    if (problem) problems.push(`${path}:${index + 1}: ${problem}`);
  }
  return problems;
}

function includeProblem(path, layer, isSystem, target) {
  if (/^(napi|node_api|js_native_api|node)\.h$/.test(target) && !KNOWS_NODE.includes(layer)) {
    return `<${target}> may be included in ${KNOWS_NODE.join('/ and ')}/ only`;
  }
  if (/\.cuh?$/.test(path) && /^(torch|ATen|c10)\//.test(target)) {
    return `<${target}>: .cu files take raw pointers and sizes, no torch header`;
  }
  if (isSystem) return null;
  const directory = layerOf(dirname(target));
  if (target.includes('..') || directory === null) {
    return `"${target}": quotes are for files named from native/ ("${layer}/x.h"), <> for all others`;
  }
  if (directory === layer || LAYERS[layer].includes(directory)) return null;
  return `${layer} may not include ${directory} ("${target}")`;
}

/** Lines `nn -> core, ops` between the markers of docs/architecture.md, compared with LAYERS. */
export function tableProblems(markdown) {
  const block = /<!-- layers -->([\s\S]*?)<!-- \/layers -->/.exec(markdown)?.[1];
  if (block === undefined) return ['docs/architecture.md: no table between <!-- layers --> and <!-- /layers -->'];
  const drawn = new Map();
  for (const [, layer, allowed] of block.matchAll(/^\s*([\w/]+)\s*->\s*(.*)$/gm)) {
    drawn.set(layer, (allowed.match(/[\w/]+/g) ?? []).sort().join(', '));
  }
  const problems = [];
  for (const [layer, allowed] of Object.entries(LAYERS)) {
    const expected = [...allowed].sort().join(', ');
    const found = drawn.get(layer);
    // A layer that includes nothing may be left out.
    if ((found ?? '') !== expected) {
      problems.push(`docs/architecture.md: "${layer} -> ${found ?? ''}" but the rule is "${layer} -> ${expected}"`);
    }
    drawn.delete(layer);
  }
  for (const layer of drawn.keys()) problems.push(`docs/architecture.md: ${layer} is not a layer of native/`);
  return problems;
}

function check() {
  const native = join(ROOT, 'native');
  const files = readdirSync(native, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && SOURCE.has(extname(entry.name)))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name));
  const architecture = join(ROOT, 'docs', 'architecture.md');
  return [
    ...files.flatMap((file) => includeProblems(file.slice(ROOT.length + 1), readFileSync(file, 'utf8'))),
    ...tableProblems(existsSync(architecture) ? readFileSync(architecture, 'utf8') : ''),
  ];
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const problems = check();
  for (const problem of problems) console.error(problem);
  process.exitCode = problems.length === 0 ? 0 : 1;
}
