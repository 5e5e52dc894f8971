/**
 * Keeps generated texts on disk: for each model and seed a file of JSON lines. The first line is the key of the texts.
 * Lines are only appended, so an interrupted evaluation continues behind the last whole one.
 */
import { type FileHandle, open, readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import * as v from 'valibot';
import { Brain3DError, ERROR_CODES } from '../base/errors';

/** Everything that a text depends on besides its volume. */
export type GenerationKey = Record<string, string | number | boolean | null>;

const TextSchema = v.object({
  id: v.string(),
  /** The key of the volume in the cache. */
  volume: v.string(),
  text: v.string(),
  finish_reason: v.picklist(['eos', 'length']),
  new_tokens: v.number(),
});
const FailureSchema = v.object({
  id: v.string(),
  volume: v.string(),
  error: v.object({ code: v.picklist(ERROR_CODES), message: v.string() }),
});
const LineSchema = v.union([TextSchema, FailureSchema]);

export type GenerationLine = v.InferOutput<typeof LineSchema>;
export type GenerationFailure = v.InferOutput<typeof FailureSchema>['error'];

const HEADER = { format: 'brain3d-generations', format_version: 1 };

export class GenerationFile {
  readonly #path: string;
  /** The number of bytes that were read, and of those that belong to whole lines. */
  readonly #bytes: number;
  readonly #length: number;
  readonly #header: string;
  /** The last line of each id. */
  readonly lines = new Map<string, GenerationLine>();
  #handle: FileHandle | null = null;

  private constructor(path: string, header: string, bytes: number, length: number) {
    this.#path = path;
    this.#header = header;
    this.#bytes = bytes;
    this.#length = length;
  }

  /**
   * Reads the texts of an earlier run, if they were made with the same key. Writes nothing.
   * @throws {Brain3DError} BRAIN3D_CONFIG naming the field that differs, BRAIN3D_FORMAT, BRAIN3D_IO
   */
  static async read(path: string, key: GenerationKey): Promise<GenerationFile> {
    const file = basename(path);
    const header = { ...HEADER, ...key };
    const bytes = await contentOf(path, file);
    // A killed process may have left a part of a line, which is dropped.
    const content = bytes.subarray(0, bytes.lastIndexOf(0x0a) + 1);
    const made = new GenerationFile(path, JSON.stringify(header), bytes.length, content.length);
    const [first, ...rest] = content.toString('utf8').split('\n').slice(0, -1);
    if (first === undefined) return made;
    compareHeader(parse(first, file, 1), header, file);
    for (const [index, text] of rest.entries()) {
      const result = v.safeParse(LineSchema, parse(text, file, index + 2));
      if (!result.success) throw damaged(file, index + 2);
      made.lines.set(result.output.id, result.output);
    }
    return made;
  }

  /**
   * Appends lines and waits until they are on the disk. @throws {Brain3DError} BRAIN3D_IO if another process appends,
   * too
   */
  async append(lines: readonly GenerationLine[]): Promise<void> {
    const handle = await this.#opened();
    await handle.appendFile(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    await handle.datasync();
    for (const line of lines) this.lines.set(line.id, line);
  }

  async close(): Promise<void> {
    await this.#handle?.close();
    this.#handle = null;
  }

  async #opened(): Promise<FileHandle> {
    if (this.#handle !== null) return this.#handle;
    this.#handle = await open(this.#path, 'a', 0o600);
    const { size } = await this.#handle.stat();
    if (size !== this.#bytes) {
      const file = basename(this.#path);
      const message = `${file} has changed since it was read: another evaluation writes into the same folder; wait for its end`;
      throw new Brain3DError('BRAIN3D_IO', message, { file });
    }
    await this.#handle.truncate(this.#length);
    if (this.#length === 0) await this.#handle.appendFile(`${this.#header}\n`);
    return this.#handle;
  }
}

async function contentOf(path: string, file: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT') return Buffer.alloc(0);
    throw new Brain3DError('BRAIN3D_IO', `cannot read '${file}' (${code})`, { file, cause });
  }
}

function parse(line: string, file: string, number: number): unknown {
  try {
    return JSON.parse(line);
  } catch (cause) {
    throw damaged(file, number, cause);
  }
}

function damaged(file: string, line: number, cause?: unknown): Brain3DError {
  const message = `${file}:${line}: expected a line as evaluate writes it, got something else; remove the file to generate anew`;
  return new Brain3DError('BRAIN3D_FORMAT', message, { file, cause });
}

function compareHeader(stored: unknown, expected: GenerationKey, file: string): void {
  for (const [field, value] of Object.entries(expected)) {
    const held = (stored as GenerationKey | null)?.[field] ?? null;
    if (held === value) continue;
    throw new Brain3DError(
      'BRAIN3D_CONFIG',
      `${file}: expected texts made with ${field} ${shown(value)}, got ${shown(held)}; give another --out, or remove the file ` +
        'to generate anew',
      { file, field },
    );
  }
}

function shown(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 60)}...` : text;
}
