/** The documents that tests of the documents read. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../support/child';

export const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
export const namesIn = (directory: string) => readdirSync(join(ROOT, directory)).sort();
export const DOCUMENTS = [
  'README.md',
  'CONTRIBUTING.md',
  ...namesIn('docs')
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];
