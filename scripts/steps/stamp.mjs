// Stamps record the inputs with which a step last ran. A step whose key is unchanged is skipped.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

/**
 * Lists the files under `path` (or `path` itself, if it is a file), sorted, as absolute paths; none if it does not
 * exist.
 */
export function filesUnder(path) {
  if (!existsSync(path)) return [];
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort();
}

/** Hashes paths, sizes and modification times (not contents, which would take too long) and `facts`, any JSON value. */
export function fingerprint(root, paths, facts) {
  const hash = createHash('sha256').update(JSON.stringify(facts));
  for (const file of paths.flatMap((path) => filesUnder(join(root, path)))) {
    const { mtimeMs, size } = statSync(file);
    hash.update(`\n${relative(root, file)} ${mtimeMs} ${size}`);
  }
  return hash.digest('hex');
}

function stampFile(root, name) {
  return join(root, 'build', `.stamp-${name}`);
}

/**
 * Returns the stamp that `writeStamp` kept under `name`, or null. An unreadable stamp counts as none, so the step runs
 * again.
 */
export function readStamp(root, name) {
  const file = stampFile(root, name);
  if (!existsSync(file)) return null;
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

export function writeStamp(root, name, value) {
  const file = stampFile(root, name);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, JSON.stringify(value));
}
