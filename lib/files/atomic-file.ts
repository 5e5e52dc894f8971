/** Writes files that appear whole or not at all, for their owner alone. */
import { randomUUID } from 'node:crypto';
import { link, open, rename, rm } from 'node:fs/promises';

/**
 * Writes a temporary file in the same directory, syncs it and renames it. A reader sees the old file or the new, never
 * a part.
 */
export async function writeFileAtomic(path: string, data: string | Uint8Array): Promise<void> {
  await withTemporaryFile(path, data, (temporary) => rename(temporary, path));
}

/**
 * Writes a file in the same way, but only under a new name. If several processes write it at once, one succeeds.
 * @returns whether it was written; false where there is such a file
 */
export async function writeNewFileAtomic(path: string, data: string | Uint8Array): Promise<boolean> {
  let isWritten = true;
  await withTemporaryFile(path, data, async (temporary) => {
    try {
      await link(temporary, path);
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause;
      isWritten = false;
    }
    await rm(temporary);
  });
  return isWritten;
}

async function withTemporaryFile(
  path: string,
  data: string | Uint8Array,
  place: (temporary: string) => Promise<void>,
): Promise<void> {
  // The name is unique also among the threads of this process.
  const temporary = `${path}.${randomUUID()}.partial`;
  const file = await open(temporary, 'wx', 0o600);
  try {
    await file.writeFile(data);
    await file.sync();
    await place(temporary);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  } finally {
    await file.close();
  }
}
