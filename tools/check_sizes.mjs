#!/usr/bin/env node
// Keeps files readable in one sitting: more than 350 lines is a warning, more than 600 a failure.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const DIRECTORIES = ['native', 'lib', 'test', 'scripts', 'bench', 'tools'];
const SOURCE = new Set(['.h', '.cpp', '.cu', '.cuh', '.ts', '.mts', '.js', '.mjs', '.py']);
const SOFT = 350;
const HARD = 600;

let failed = false;
for (const directory of DIRECTORIES.map((name) => join(ROOT, name)).filter(existsSync)) {
  for (const entry of readdirSync(directory, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile() || !SOURCE.has(extname(entry.name))) continue;
    const file = join(entry.parentPath ?? entry.path, entry.name);
    const lines = readFileSync(file, 'utf8').split('\n').length - 1;
    if (lines <= SOFT) continue;
    const isTooLong = lines > HARD;
    failed ||= isTooLong;
    const limit = isTooLong ? `more than ${HARD}: split it` : `more than ${SOFT}: consider splitting it`;
    console.error(`${isTooLong ? 'error' : 'warning'}: ${file.slice(ROOT.length + 1)}: ${lines} lines, ${limit}`);
  }
}
process.exitCode = failed ? 1 : 0;
