/** Keeps two trainers of one machine from writing into one folder: each would call the other's checkpoints its own. */
import { open, readFile, realpath, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, join } from 'node:path';
import { Brain3DError } from '../errors';

export const LOCK_FILE = 'lock';

/** Folders that this process holds. */
const held = new Set<string>();

/**
 * Takes the folder; what is returned gives it back. A lock that a process left which is no more counts for nothing, nor
 * does one of another machine, whose processes cannot be seen.
 * @throws {Brain3DError} BRAIN3D_USAGE if another trainer has it
 */
export async function lockFolder(dir: string): Promise<() => Promise<void>> {
  const folder = await realpath(dir);
  const path = join(folder, LOCK_FILE);
  if (held.has(folder)) throw taken(dir, process.pid);
  held.add(folder);
  try {
    const owner = await ownerOf(path);
    if (owner !== null) throw taken(dir, owner);
    await rm(path, { force: true });
    const file = await open(path, 'wx', 0o600);
    try {
      await file.writeFile(JSON.stringify({ host: hostname(), pid: process.pid }));
    } finally {
      await file.close();
    }
  } catch (error) {
    held.delete(folder);
    throw error;
  }
  return async () => {
    held.delete(folder);
    await rm(path, { force: true });
  };
}

/** The living process that holds the lock, or null. */
async function ownerOf(path: string): Promise<number | null> {
  const text = await readFile(path, 'utf8').catch((cause) => {
    if (cause.code === 'ENOENT') return '';
    throw cause;
  });
  // One that a process was killed while writing has no owner either.
  const [, host, pid] = /^\{"host":"([^"]*)","pid":(\d+)\}$/.exec(text) ?? [];
  if (host !== hostname() || Number(pid) === process.pid) return null;
  return isAlive(Number(pid)) ? Number(pid) : null;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (cause) {
    return (cause as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function taken(dir: string, pid: number): Brain3DError {
  return new Brain3DError(
    'BRAIN3D_USAGE',
    `'${basename(dir)}' is in use by process ${pid}; wait for it, or remove '${LOCK_FILE}' in that folder if it does not train`,
    { file: LOCK_FILE },
  );
}
