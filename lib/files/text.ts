/** Strict reading of text files. Errors name what is wrong and never quote the contents. */
import { readFile, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { Brain3DError } from '../base/errors';

export interface TextRules {
  /** The kind of file, for the message that it is missing, such as `a manifest`. */
  what: string;
  /** The largest size in bytes. A longer file is refused. @default no limit */
  maxBytes?: number;
  signal?: AbortSignal | undefined;
  /** Makes the error for faulty contents. @default BRAIN3D_FORMAT with `file: expected ...` */
  fault?: (message: string) => Brain3DError;
  /** Makes the error for a file that cannot be read, by the system's code. @default BRAIN3D_NOT_FOUND or BRAIN3D_IO */
  unreadable?: (code: string, cause: unknown) => Brain3DError;
}

/**
 * Returns the text of a regular file in UTF-8, without a byte order mark.
 * @throws {Brain3DError} BRAIN3D_NOT_FOUND, BRAIN3D_IO, BRAIN3D_FORMAT, unless `rules` say otherwise
 */
export async function readText(path: string, rules: TextRules): Promise<string> {
  const file = basename(path);
  const { what, maxBytes = Number.POSITIVE_INFINITY, signal } = rules;
  const fault = rules.fault ?? ((message) => new Brain3DError('BRAIN3D_FORMAT', `${file}: ${message}`, { file }));
  const unreadable = rules.unreadable ?? ((code, cause) => unreadableFile(file, what, code, cause));
  let bytes: Uint8Array;
  try {
    const status = await stat(path);
    // Reading a pipe could wait for ever.
    if (!status.isFile())
      throw fault(`expected a regular file, got ${status.isDirectory() ? 'a folder' : 'something else'}`);
    if (status.size > maxBytes) throw fault(`expected at most ${maxBytes} bytes, got ${status.size}`);
    bytes = await readFile(path, { signal });
  } catch (cause) {
    signal?.throwIfAborted();
    if (Brain3DError.isInstance(cause)) throw cause;
    throw unreadable((cause as NodeJS.ErrnoException).code ?? (cause as Error).message, cause);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw fault('expected UTF-8 text, got other bytes');
  }
}

function unreadableFile(file: string, what: string, code: string, cause: unknown): Brain3DError {
  if (code === 'ENOENT' || code === 'ENOTDIR')
    return new Brain3DError('BRAIN3D_NOT_FOUND', `expected ${what}, but '${file}' does not exist`, { file, cause });
  return new Brain3DError('BRAIN3D_IO', `cannot read '${file}' (${code})`, { file, cause });
}
