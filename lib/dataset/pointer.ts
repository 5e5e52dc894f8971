/** Detects pointer files, which git-annex and Git LFS leave where contents were not fetched. */
import { open } from 'node:fs/promises';
import { basename } from 'node:path';
import { Brain3DError } from '../base/errors';

/** The largest file that can be a pointer. A pointer has some hundred bytes. */
const MAX_BYTES = 1024;

const POINTERS: [pattern: RegExp, what: string][] = [
  // This also matches a link that a checkout wrote as a file.
  [/^(?:\/annex\/objects\/|(?:\.\.\/)*\.git\/annex\/objects\/)/, 'a pointer of git-annex; fetch it (`git annex get`)'],
  [/^version https:\/\/git-lfs\.github\.com\/spec\//, 'a pointer of Git LFS; fetch it (`git lfs pull`)'],
];

/**
 * Refuses a pointer file before it is read as an image or a report.
 * @throws {Brain3DError} BRAIN3D_NOT_FOUND if it is a pointer, or not there; BRAIN3D_IO
 */
export async function refusePointer(path: string, expected: 'an image' | 'a report'): Promise<void> {
  const file = basename(path);
  const pointer = await pointerKind(path).catch((cause: NodeJS.ErrnoException) => {
    const code = cause.code === 'ENOENT' ? 'BRAIN3D_NOT_FOUND' : 'BRAIN3D_IO';
    throw new Brain3DError(code, `cannot read ${file} (${cause.code})`, { file, cause });
  });
  if (pointer !== null)
    throw new Brain3DError('BRAIN3D_NOT_FOUND', `expected ${expected}, but ${file} is ${pointer}`, { file });
}

/** Describes a file that is a pointer, for a message; null for any other file. */
async function pointerKind(path: string): Promise<string | null> {
  const file = await open(path, 'r');
  try {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(MAX_BYTES + 1), 0, MAX_BYTES + 1, 0);
    if (bytesRead > MAX_BYTES) return null;
    const text = buffer.subarray(0, bytesRead).toString('latin1');
    return POINTERS.find(([pattern]) => pattern.test(text))?.[1] ?? null;
  } finally {
    await file.close();
  }
}
