/** Versions of npm packages, this one's first. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Version of this package. */
export function packageVersion(): string {
  return versionOf(join(__dirname, '..', '..'));
}

/** Version of the package in a directory. */
export function versionOf(packageDir: string): string {
  return (JSON.parse(readFileSync(join(packageDir, 'package.json'), 'utf8')) as { version: string }).version;
}
