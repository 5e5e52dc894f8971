/** Protects files from results: they never replace the input, and replace an earlier result only when asked. */
import { lstatSync, realpathSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { Brain3DError } from '../base/errors';
import { nameOf } from './sources';

export function addForceOption(command: Command): Command {
  return command.option('--force', 'replace results that are there already');
}

/** Refuses two paths that are one file, whatever links lead to it. The key of an input is `volume`. */
export function requireDistinct(command: string, paths: Record<string, string>): void {
  const seen = new Map<string, string>();
  for (const [what, path] of Object.entries(paths)) {
    for (const identity of identitiesOf(path)) {
      const other = seen.get(identity);
      if (other === undefined || other === what) seen.set(identity, what);
      else
        throw new RangeError(
          `${command}: expected another file for ${what}, got ${described(other)}, '${nameOf(path)}'`,
        );
    }
  }
}

function described(what: string): string {
  return what === 'volume' ? 'the volume itself' : `that of ${what}`;
}

/** Identifies a file by its name, by the targets of links, and by the file itself, which may have several names. */
function identitiesOf(path: string): string[] {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return [resolve(path)];
  return [resolve(path), realpathSync(path), `${found.dev}:${found.ino}`];
}

/** @throws {Brain3DError} BRAIN3D_USAGE if one of the results is there, unless it may be replaced */
export function requireNew(command: string, paths: readonly string[], force: true | undefined): void {
  if (force) return;
  const existing = paths.find((path) => lstatSync(path, { throwIfNoEntry: false }) !== undefined);
  if (existing === undefined) return;
  const file = nameOf(existing);
  const message = `${command}: '${file}' is there already; give another name, or --force to replace it`;
  throw new Brain3DError('BRAIN3D_USAGE', message, { file });
}
