// Stamps record the inputs with which a step last ran. A step whose key is unchanged is skipped. They hold for the contents of files,
// wherever the checkout is and whenever its files were written: a copy, or a branch that was left and come back to, is up
// to date.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
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

/** Hashes the files under `paths`, by their names in the checkout and their contents, and of `facts`, any JSON value. */
export function fingerprint(root, paths, facts) {
  const hash = createHash('sha256').update(JSON.stringify(facts));
  for (const file of paths.flatMap((path) => filesUnder(join(root, path))))
    hash.update(`\n${relative(root, file)} ${digestOf(file)}`);
  return hash.digest('hex');
}

const digestOf = (file) => createHash('sha256').update(readFileSync(file)).digest('hex');

/**
 * Ninja goes by modification times, which git changes when it switches branches. Runs `build`, before which those of
 * `paths` that hold what the last build by this function had get their time of then back. `logFile` is ninja's own record:
 * if something else has built since, or that build failed, times are left as they are.
 */
export async function withTimesOfLastBuild(root, name, paths, logFile, build) {
  const files = paths.flatMap((path) => filesUnder(join(root, path)));
  const times = () => Object.fromEntries(files.map((file) => [relative(root, file), statSync(file).mtimeMs]));
  const digests = Object.fromEntries(files.map((file) => [relative(root, file), digestOf(file)]));
  const logState = () => (existsSync(logFile) ? digestOf(logFile) : null);
  const last = readStamp(root, name);
  if (last !== null && last.log !== null && last.log === logState()) {
    for (const [file, mtimeMs] of Object.entries(times())) {
      if (last.digests[file] !== digests[file] || last.times[file] === mtimeMs) continue;
      // Rounded down: a time that is later by a fraction would count as changed.
      utimesSync(join(root, file), new Date(), Math.floor(last.times[file]) / 1000);
    }
  }
  rmSync(stampFile(root, name), { force: true });
  const before = times();
  await build();
  writeStamp(root, name, { log: logState(), digests, times: before });
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
