#!/usr/bin/env node
// Prints precision and recall of the strict clinical reading on the sentences of test/fixtures/clinical, as in the
// table of docs/metrics.md. Usage: node tools/clinical_precision.mjs [NAME=DIST ...]. DIST is the compiled lib/ of any
// commit, by default this tree's own.
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const require = createRequire(import.meta.url);
const { CATEGORIES, PARTS, measure } = require(join(ROOT, 'test/support/clinical-sentences.js'));

const given = process.argv.slice(2);
console.log('| part | reading | side: P, R | anatomy: P, R | pathology: P, R |\n|---|---|---|---|---|');
for (const part of PARTS) {
  for (const argument of given.length > 0 ? given : ['this=dist']) {
    const [name, dist] = argument.split('=');
    const { extractStrict } = require(resolve(dist, 'metrics/clinical-strict.js'));
    const scores = measure(extractStrict)[part];
    const shown = CATEGORIES.map((category) => {
      const { precision, recall } = scores[category];
      return `${precision.toFixed(3)}, ${recall.toFixed(3)}`;
    });
    console.log(`| ${part} (${scores.sentences}) | ${name} | ${shown.join(' | ')} |`);
  }
}
