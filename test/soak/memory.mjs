// Divides the process's memory by who holds it.
import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const HERE = dirname(fileURLToPath(import.meta.url));
const require = createRequire(import.meta.url);

/** A function that gives KiB; `folder` is for what it needs to compile. */
export function memoryMeter(folder) {
  const file = join(folder, 'allocated.node');
  const headers = join(HERE, '../../node_modules/node-api-headers/include');
  execFileSync('cc', ['-shared', '-fPIC', '-I', headers, join(HERE, 'allocated.c'), '-o', file]);
  const allocated = require(file);
  const addon = require('../../dist/native/binding.js').loadAddon();
  return () => {
    const { residentBytes, cachedBytes, largeBytes } = addon.systemInfo();
    return {
      resident: (residentBytes - cachedBytes) / 1024,
      allocated: (allocated() + largeBytes) / 1024,
      heap: process.memoryUsage().heapUsed / 1024,
      cached: cachedBytes / 1024,
    };
  };
}
