#!/usr/bin/env node
// Checks which folder of native/ and lib/ may use which (tools/layers.mjs), that docs/architecture.md draws the same,
// that no modules of lib/ import each other in a circle, that only napi/ and loader/ know Node, that only folders built
// on device/ know torch, and that .cu files compile without ATen.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, extname, join, normalize, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { KNOWS_NODE, LIB, NATIVE } from './layers.mjs';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const TABLES = { native: NATIVE, lib: LIB };
const TABLE_AT = 'tools/layers.mjs and docs/architecture.md';
const SOURCES = { native: new Set(['.h', '.cpp', '.cu', '.cuh']), lib: new Set(['.ts', '.mts']) };

/** Returns the layer of a folder ("io/nifti" of native/), or null. */
function layerOf(layers, folder) {
  const parts = folder.split('/');
  for (let count = parts.length; count > 0; count--) {
    const name = parts.slice(0, count).join('/');
    if (name in layers) return name;
  }
  return null;
}

/** Returns the problems of one file of native/, given its text. */
export function includeProblems(path, text) {
  const folder = relative('native', dirname(path));
  const layer = layerOf(NATIVE, folder);
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
  if (/^(torch|ATen|c10)\//.test(target)) {
    if (/\.cuh?$/.test(path)) return `<${target}>: .cu files take raw pointers and sizes, no torch header`;
    if (layer !== 'device' && !NATIVE[layer].includes('device')) return `<${target}>: ${layer} does without torch`;
  }
  if (isSystem) return null;
  const used = layerOf(NATIVE, dirname(target));
  if (target.includes('..') || used === null) {
    return `"${target}": quotes are for files named from native/ ("${layer}/x.h"), <> for all others`;
  }
  return used === layer || NATIVE[layer].includes(used) ? null : `${layer} may not include ${used} ("${target}")`;
}

/** Returns the modules that a file of lib/ imports, types included, as paths without an ending ("lib/base/errors"). */
function importsOf(path, text) {
  const specifiers = [...text.matchAll(/(?:\bfrom|\bimport\(|^import)\s*'(\.[^']+)'/gm)].map(
    ([, specifier]) => specifier,
  );
  return specifiers.map((specifier) => normalize(join(dirname(path), specifier.replace(/\.m?js$/, ''))));
}

/** Returns the problems of one file of lib/, given its text. */
export function importProblems(path, text) {
  const folder = relative('lib', dirname(path));
  if (folder === '') return /^(index|cli)$/.test(stem(path)) ? [] : [`${path}: only entries stand directly in lib/`];
  const layer = layerOf(LIB, folder);
  if (layer === null) return [`${path}: lib/${folder} is not a layer; add it to ${TABLE_AT}`];
  return importsOf(path, text)
    .map((module) => relative('lib', dirname(module)))
    .map((used) => layerOf(LIB, used) ?? used)
    .filter((used) => used !== layer && !LIB[layer].includes(used))
    .map((used) => `${path}: ${layer} may not import ${used === '' ? 'an entry' : used}`);
}

function stem(path) {
  return path.replace(/^.*\//, '').replace(/\.m?ts$/, '');
}

/** Returns the circles of imports among files of lib/, given as [path, text], each as one line. */
export function circleProblems(files) {
  const graph = new Map(files.map(([path, text]) => [path.replace(/\.m?ts$/, ''), importsOf(path, text)]));
  const problems = [];
  const done = new Set();
  const visit = (module, trail) => {
    const start = trail.indexOf(module);
    if (start >= 0) problems.push(`import circle: ${[...trail.slice(start), module].join(' -> ')}`);
    if (start >= 0 || done.has(module)) return;
    for (const used of graph.get(module) ?? []) visit(used, [...trail, module]);
    done.add(module);
  };
  for (const module of graph.keys()) visit(module, []);
  return problems;
}

/** Compares the lines `nn -> base, ops` between the markers of docs/architecture.md with the table of `name`. */
export function tableProblems(name, markdown) {
  const block = new RegExp(`<!-- layers of ${name} -->([\\s\\S]*?)<!-- /layers -->`).exec(markdown)?.[1];
  if (block === undefined)
    return [`docs/architecture.md: no table between <!-- layers of ${name} --> and <!-- /layers -->`];
  const drawn = new Map();
  for (const [, layer, allowed] of block.matchAll(/^\s*([\w/]+)\s*->\s*(.*)$/gm)) {
    drawn.set(layer, (allowed.match(/[\w/]+/g) ?? []).sort().join(', '));
  }
  const problems = [];
  for (const [layer, allowed] of Object.entries(TABLES[name])) {
    const expected = [...allowed].sort().join(', ');
    // A layer that uses nothing may be left out.
    const found = drawn.get(layer) ?? '';
    if (found !== expected)
      problems.push(`docs/architecture.md: "${layer} -> ${found}" but the rule is "${layer} -> ${expected}"`);
    drawn.delete(layer);
  }
  for (const layer of drawn.keys()) problems.push(`docs/architecture.md: ${layer} is not a layer of ${name}/`);
  return problems;
}

/** Returns [path, text] of the sources below a folder of the project. */
function sourcesOf(name) {
  return readdirSync(join(ROOT, name), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && SOURCES[name].has(extname(entry.name)))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .map((file) => [relative(ROOT, file), readFileSync(file, 'utf8')]);
}

function check() {
  const file = join(ROOT, 'docs', 'architecture.md');
  const architecture = existsSync(file) ? readFileSync(file, 'utf8') : '';
  const modules = sourcesOf('lib');
  return [
    ...sourcesOf('native').flatMap(([path, text]) => includeProblems(path, text)),
    ...modules.flatMap(([path, text]) => importProblems(path, text)),
    ...circleProblems(modules),
    ...tableProblems('native', architecture),
    ...tableProblems('lib', architecture),
  ];
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const problems = check();
  for (const problem of problems) console.error(problem);
  process.exitCode = problems.length === 0 ? 0 : 1;
}
