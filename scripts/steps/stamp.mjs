// Stamps say what a step was last done with; a step whose key is unchanged is skipped.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

/** Files under `path` (itself, if it is one), sorted, as absolute paths; none if it does not exist. */
export function filesUnder(path) {
  if (!existsSync(path)) return [];
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort();
}

/** Hash of paths, sizes and modification times (not contents: that would take longer than the check may) and of
 * `facts`, any JSON value. */
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

/** What `writeStamp` kept under `name`, or null. An unreadable stamp counts as none: the step runs again. */
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
