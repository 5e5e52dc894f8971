/**
 * Makes folders for results. Node's recursive `mkdir` is not used: it never ends on a file system that makes no
 * folders, such as /proc.
 */
import { mkdir, stat } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { Brain3DError } from '../base/errors';

/**
 * Makes a folder, and the missing ones above it, for their owner alone. Returns the paths of those that it made, the
 * uppermost first; none if the folder existed.
 * @throws {Brain3DError} BRAIN3D_IO naming the folder that could not be made
 */
export async function makeFolders(path: string): Promise<string[]> {
  return make(resolve(path), false);
}

async function make(folder: string, hasParent: boolean): Promise<string[]> {
  try {
    await mkdir(folder, { mode: 0o700 });
    return [folder];
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (await isFolder(folder)) return [];
    // This is tried once: if a parent exists and the folder still cannot be made, it cannot be made the next time
    // either.
    if (code !== 'ENOENT' || hasParent || dirname(folder) === folder) throw refused(folder, code, cause);
    return [...(await make(dirname(folder), false)), ...(await make(folder, true))];
  }
}

/** Whether it is a folder, whatever `mkdir` said: some file systems refuse before they look. */
async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

function refused(folder: string, code: string | undefined, cause: unknown): Brain3DError {
  const file = basename(folder);
  return new Brain3DError('BRAIN3D_IO', `the folder '${file}' cannot be made (${code}); give another place`, {
    file,
    cause,
  });
}
