/** Hugging Face model directories: which files they have, and digests that tell one from another. */
import { createHash } from 'node:crypto';
import { open, readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Brain3DError } from '../base/errors';
import { digestFile } from '../files/digest';
import { readJson } from '../files/json';

export interface BackboneFile {
  name: string;
  bytes: number;
  sha256: string;
}

/** Configuration, weights and tokenizer: what a model's output depends on. */
const MODEL_FILE =
  /^(config\.json|generation_config\.json|tokenizer\.json|.*\.safetensors|.*\.safetensors\.index\.json)$/;
const SAMPLED_BLOCKS = 64;
const BLOCK_BYTES = 4096;
/** As native/io/json.h reads: a configuration has some kilobytes. */
const MAX_CONFIG_BYTES = 2 ** 20;

/** The directory's model files, sorted. @throws {Brain3DError} BRAIN3D_NOT_FOUND */
export async function listModelFiles(dir: string): Promise<string[]> {
  const names = await readdir(dir).catch((cause: NodeJS.ErrnoException) => {
    throw new Brain3DError(
      'BRAIN3D_NOT_FOUND',
      `expected a model directory, but '${basename(dir)}' cannot be read (${cause.code})`,
      { file: basename(dir), cause },
    );
  });
  return names.filter((name) => MODEL_FILE.test(name)).sort();
}

/** Full digests, in file order. Reads everything: seconds for gigabytes, on the thread pool. */
export async function digestFiles(dir: string, signal?: AbortSignal): Promise<BackboneFile[]> {
  const files: BackboneFile[] = [];
  for (const name of await listModelFiles(dir)) {
    files.push({ name, bytes: (await stat(join(dir, name))).size, sha256: await digestFile(join(dir, name), signal) });
  }
  return files;
}

/** One digest of all of a backbone's files: over names and contents, not over where it lies. */
export function combineDigests(files: readonly BackboneFile[]): string {
  const hash = createHash('sha256');
  for (const { name, sha256 } of files) hash.update(`${name}\0${sha256}\n`);
  return hash.digest('hex');
}

/**
 * A digest cheap enough for every load: names, sizes, and 64 blocks of 4 KiB spread evenly over each file. It tells
 * apart any two models, though not a file with a flipped bit between the blocks; the full digests are for that.
 */
export async function fingerprint(dir: string): Promise<string> {
  const hash = createHash('sha256');
  for (const name of await listModelFiles(dir)) {
    // A pipe would be waited for without end.
    if (!(await stat(join(dir, name))).isFile())
      throw new Brain3DError('BRAIN3D_FORMAT', `expected a regular file, got something else as '${name}'`, {
        file: name,
      });
    const file = await open(join(dir, name), 'r');
    try {
      const { size } = await file.stat();
      hash.update(`${name}\0${size}\0`);
      const block = Buffer.alloc(BLOCK_BYTES);
      for (let i = 0; i < SAMPLED_BLOCKS; i++) {
        const offset = Math.floor((i * Math.max(0, size - BLOCK_BYTES)) / (SAMPLED_BLOCKS - 1));
        const { bytesRead } = await file.read(block, 0, BLOCK_BYTES, offset);
        hash.update(block.subarray(0, bytesRead));
      }
    } finally {
      await file.close();
    }
  }
  return hash.digest('hex');
}

/** JSON of a file in a model directory. @throws {Brain3DError} BRAIN3D_NOT_FOUND, BRAIN3D_CONFIG */
export function readJsonFile(path: string): Promise<unknown> {
  const file = basename(path);
  return readJson(path, {
    what: file,
    maxBytes: MAX_CONFIG_BYTES,
    fault: (message) => new Brain3DError('BRAIN3D_CONFIG', `${file}: ${message}`, { file }),
    unreadable: (code, cause) =>
      new Brain3DError('BRAIN3D_NOT_FOUND', `expected ${file} in '${basename(join(path, '..'))}' (${code})`, {
        file,
        cause,
      }),
  });
}
