/** Folders for results. Not Node's recursive `mkdir`: where a file system makes none, as below /proc, that never ends. */
import { mkdir, stat } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { Brain3DError } from '../base/errors';

/**
 * Makes a folder, and those above it that are missing, for their owner alone. Gives the paths of those that it made, the
 * uppermost first; none if it was there.
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
    // Once: a parent that is there and still holds nothing new will not hold it the next time either.
    if (code !== 'ENOENT' || hasParent || dirname(folder) === folder) throw refused(folder, code, cause);
    return [...(await make(dirname(folder), false)), ...(await make(folder, true))];
  }
}

/** Whatever `mkdir` said: some file systems refuse first and look afterwards. */
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
