/** Reads the versions of npm packages, such as this one's. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Returns the version of this package. */
export function packageVersion(): string {
  return versionOf(join(__dirname, '..', '..'));
}

/** Returns the version of the package in a directory. */
export function versionOf(packageDir: string): string {
  return (JSON.parse(readFileSync(join(packageDir, 'package.json'), 'utf8')) as { version: string }).version;
}
