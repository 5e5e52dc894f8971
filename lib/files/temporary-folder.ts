/** A temporary folder for this user only, which is removed after its use. */
import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Calls `use` with a fresh folder (mode 0700, this process in its name) and removes it with everything in it, however
 * `use` ends.
 */
export async function withTemporaryFolder<T>(use: (directory: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), `brain3d-${process.pid}-`));
  // Voxels must not stay behind when the process is told to exit, either.
  const removeNow = (): void => rmSync(directory, { recursive: true, force: true });
  process.once('exit', removeNow);
  try {
    return await use(directory);
  } finally {
    process.off('exit', removeNow);
    await rm(directory, { recursive: true, force: true });
  }
}
