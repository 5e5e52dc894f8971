#!/usr/bin/env node
// npm run bench -- [stages|train|metrics|strip] [OPTIONS]; stages where no name is given.
const NAMES = ['stages', 'train', 'metrics', 'strip'];
const named = process.argv[2] !== undefined && !process.argv[2].startsWith('-');
const [name] = named ? process.argv.splice(2, 1) : ['stages'];
if (NAMES.includes(name)) await import(`./${name}.mjs`);
else {
  process.stderr.write(`bench: expected one of ${NAMES.join(', ')}, got '${name}'\n`);
  process.exitCode = 2;
}
