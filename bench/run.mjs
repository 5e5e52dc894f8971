#!/usr/bin/env node
// Runs a benchmark: npm run bench -- [stages|train|metrics|strip] [OPTIONS]. Without a name it runs `stages`.
const NAMES = ['stages', 'train', 'metrics', 'strip'];
const named = process.argv[2] !== undefined && !process.argv[2].startsWith('-');
const [name] = named ? process.argv.splice(2, 1) : ['stages'];
if (NAMES.includes(name)) await import(`./${name}.mjs`);
else {
  process.stderr.write(`bench: expected one of ${NAMES.join(', ')}, got '${name}'\n`);
  process.exitCode = 2;
}
