/** Hugging Face model directories: lists their files and computes digests that tell one from another. */
import { createHash } from 'node:crypto';
import { open, readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Brain3DError } from '../base/errors';
import { digestFile } from '../files/digest';
import { readJson } from '../files/json';
import { tokenizerFiles } from '../tokenizer/tokenizer-folder';

export interface BackboneFile {
  name: string;
  bytes: number;
  sha256: string;
}

/** Configuration and weights. A model's output depends on them and on the tokenizer's files. */
const MODEL_FILE = /^(config\.json|generation_config\.json|.*\.safetensors|.*\.safetensors\.index\.json)$/;
const SAMPLED_BLOCKS = 64;
const BLOCK_BYTES = 4096;
/** The size limit of native/io/json.h. A configuration has some kilobytes. */
const MAX_CONFIG_BYTES = 2 ** 20;

/** Lists the directory's model files, sorted. @throws {Brain3DError} BRAIN3D_NOT_FOUND */
export async function listModelFiles(dir: string): Promise<string[]> {
  const names = await readdir(dir).catch((cause: NodeJS.ErrnoException) => {
    throw new Brain3DError(
      'BRAIN3D_NOT_FOUND',
      `expected a model directory, but '${basename(dir)}' cannot be read (${cause.code})`,
      { file: basename(dir), cause },
    );
  });
  const ofTokenizer = tokenizerFiles(names);
  return names.filter((name) => MODEL_FILE.test(name) || ofTokenizer.includes(name)).sort();
}

/** Computes full digests, in file order. It reads everything on the thread pool, which takes seconds for gigabytes. */
export async function digestFiles(dir: string, signal?: AbortSignal): Promise<BackboneFile[]> {
  const files: BackboneFile[] = [];
  for (const name of await listModelFiles(dir)) {
    files.push({ name, bytes: (await stat(join(dir, name))).size, sha256: await digestFile(join(dir, name), signal) });
  }
  return files;
}

/** Combines the digests of a backbone's files, over names and contents but not over where the backbone lies. */
export function combineDigests(files: readonly BackboneFile[]): string {
  const hash = createHash('sha256');
  for (const { name, sha256 } of files) hash.update(`${name}\0${sha256}\n`);
  return hash.digest('hex');
}

/**
 * Computes a digest cheap enough for every load: over names, sizes, and 64 blocks of 4 KiB spread evenly over each
 * file. It tells any two models apart, but misses a flipped bit between the blocks; the full digests find that.
 */
export async function fingerprint(dir: string): Promise<string> {
  const hash = createHash('sha256');
  for (const name of await listModelFiles(dir)) {
    // Reading a pipe could wait for ever.
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

/** Reads the JSON of a file in a model directory. @throws {Brain3DError} BRAIN3D_NOT_FOUND, BRAIN3D_CONFIG */
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
