/** Writes directories that exist whole or not at all, also after a power loss. */
import { mkdir, open, readdir, rename, rm, symlink } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { makeFolders } from './folders';

/** The ending of a file or directory that is being written. One that is found later may be removed. */
export const PARTIAL = '.partial';

/**
 * Makes folders like `makeFolders`, and syncs the names of the new ones to the disk, and that of `path` if it existed
 * already.
 */
export async function makeDurableFolders(path: string): Promise<void> {
  const made = await makeFolders(path);
  for (const folder of new Set([...made, resolve(path)])) await syncPath(dirname(folder)).catch(requireAllowed);
}

/**
 * Has `fill` write a temporary directory beside `target`, syncs everything in it, and renames it. `target` must not
 * exist. After a failure the temporary directory is gone; after a kill it is `target.partial`.
 */
export async function writeDirectoryAtomic(target: string, fill: (dir: string) => Promise<void>): Promise<void> {
  const temporary = `${target}${PARTIAL}`;
  await rm(temporary, { recursive: true, force: true });
  await mkdir(temporary, { mode: 0o700 });
  try {
    await fill(temporary);
    await syncTree(temporary);
    await rename(temporary, target);
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    throw error;
  }
  await syncPath(dirname(target));
}

/** Makes the link `path` point to its sibling `name`, or changes its target in one step. */
export async function pointLink(path: string, name: string): Promise<void> {
  const temporary = `${path}${PARTIAL}`;
  await rm(temporary, { force: true });
  await symlink(name, temporary);
  await rename(temporary, path);
  await syncPath(dirname(path));
}

/** Removes what a killed process left unfinished in `dir`. */
export async function removePartials(dir: string): Promise<void> {
  const names = await readdir(dir);
  const partial = names.filter((name) => name.endsWith(PARTIAL));
  await Promise.all(partial.map((name) => rm(join(dir, name), { recursive: true, force: true })));
}

/** Syncs files first, then the directories that name them. */
async function syncTree(dir: string): Promise<void> {
  for (const entry of await readdir(dir, { withFileTypes: true })) {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) await syncTree(path);
    else await syncPath(path);
  }
  await syncPath(dir);
}

/**
 * Ignores that a folder above ours may be closed to us, or on a file system without sync. Then its names cannot be
 * synced.
 */
function requireAllowed(cause: NodeJS.ErrnoException): void {
  if (!['EACCES', 'EPERM', 'EINVAL'].includes(cause.code ?? '')) throw cause;
}

/** Syncs a file's bytes, or a folder's names, to the disk. */
export async function syncPath(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
