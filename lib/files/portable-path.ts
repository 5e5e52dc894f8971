/** Paths in files that travel together with what they name. */
import { isAbsolute, relative, resolve } from 'node:path';

/** Relative where `to` lies near the directory `from`, so that both can move together. */
export function portablePath(from: string, to: string): string {
  const path = relative(resolve(from), to);
  return isAbsolute(path) || path.split(/[\\/]/).filter((part) => part === '..').length > 2 ? to : path;
}
