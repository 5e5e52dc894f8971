/** Paths in files that travel together with the files they name. */
import { isAbsolute, relative, resolve } from 'node:path';

/** Returns a path relative to the directory `from` where `to` lies near it, so that both can move together. */
export function portablePath(from: string, to: string): string {
  const path = relative(resolve(from), to);
  return isAbsolute(path) || path.split(/[\\/]/).filter((part) => part === '..').length > 2 ? to : path;
}
