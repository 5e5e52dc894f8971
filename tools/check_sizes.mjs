#!/usr/bin/env node
// Keeps files readable in one sitting: more than 400 lines is a failure.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, extname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const DIRECTORIES = ['native', 'lib', 'test', 'scripts', 'bench', 'tools', 'examples'];
const SOURCE = new Set(['.h', '.cpp', '.cu', '.cuh', '.ts', '.mts', '.js', '.mjs', '.cjs', '.c', '.py']);
const MOST = 400;
/** The file that types the whole native surface. It may be long, since headings divide it. */
const WHOLE = new Set(['lib/native/surface.ts']);

let failed = false;
for (const directory of DIRECTORIES.map((name) => join(ROOT, name)).filter(existsSync)) {
  for (const entry of readdirSync(directory, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile() || !SOURCE.has(extname(entry.name))) continue;
    const file = join(entry.parentPath ?? entry.path, entry.name);
    const name = relative(ROOT, file);
    const lines = readFileSync(file, 'utf8').split('\n').length - 1;
    if (lines <= MOST || WHOLE.has(name)) continue;
    failed = true;
    console.error(`${name}: ${lines} lines, more than ${MOST}: split it`);
  }
}
process.exitCode = failed ? 1 : 0;
