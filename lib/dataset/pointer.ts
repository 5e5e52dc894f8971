/** Files that stand for others: what git-annex and Git LFS leave where contents were not fetched. */
import { open } from 'node:fs/promises';

/** A pointer has some hundred bytes. */
const MAX_BYTES = 1024;

const POINTERS: [pattern: RegExp, what: string][] = [
  // Also a link that a checkout wrote as a file.
  [/^(?:\/annex\/objects\/|(?:\.\.\/)*\.git\/annex\/objects\/)/, 'a pointer of git-annex; fetch it (`git annex get`)'],
  [/^version https:\/\/git-lfs\.github\.com\/spec\//, 'a pointer of Git LFS; fetch it (`git lfs pull`)'],
];

/** What a file is if it is a pointer, for a message; null for any other file. @throws the system's error */
export async function pointerKind(path: string): Promise<string | null> {
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
