/**
 * Computes digests of files as streams: nothing is held in memory, and hashing blocks the event loop for one chunk at a
 * time.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { basename } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { Brain3DError } from '../base/errors';

/** Returns the SHA-256 of a file's bytes. @throws {Brain3DError} BRAIN3D_NOT_FOUND, BRAIN3D_IO */
export function digestFile(path: string, signal?: AbortSignal): Promise<string> {
  return digest(path, false, signal);
}

/**
 * Reads every byte of a file, inflated if it is gzipped, whatever its name is. @throws {Brain3DError} as `digestFile`,
 * BRAIN3D_FORMAT
 */
export async function readWhole(path: string, signal?: AbortSignal): Promise<void> {
  await digest(path, await isGzip(path), signal);
}

async function isGzip(path: string): Promise<boolean> {
  const file = await open(path, 'r').catch(() => null);
  if (file === null) return false; // `digest` reports the missing file
  try {
    const { buffer } = await file.read(Buffer.alloc(2), 0, 2, 0);
    return buffer.readUInt16BE(0) === 0x1f8b;
  } finally {
    await file.close();
  }
}

async function digest(path: string, inflate: boolean, signal: AbortSignal | undefined): Promise<string> {
  const hash = createHash('sha256');
  const source = createReadStream(path, { highWaterMark: 1 << 18 });
  try {
    if (inflate) await pipeline(source, createGunzip(), hash, { signal });
    else await pipeline(source, hash, { signal });
  } catch (cause) {
    signal?.throwIfAborted();
    const file = basename(path);
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT')
      throw new Brain3DError('BRAIN3D_NOT_FOUND', `expected the file '${file}', but it does not exist`, {
        file,
        cause,
      });
    const kind = code?.startsWith('Z_') ? 'BRAIN3D_FORMAT' : 'BRAIN3D_IO';
    throw new Brain3DError(kind, `cannot read '${file}' (${code ?? message})`, { file, cause });
  }
  return hash.digest('hex');
}
