/** Files of texts, a JSON object a line: `{"id": ..., "text": ...}`, references also with `class`. */
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import * as v from 'valibot';
import { Brain3DError } from '../base/errors';
import { suggestion } from '../base/validate';
import { CLASSES } from '../dataset/manifest';
import { describeUnquoted, jsonFault } from '../files/describe';

const EntrySchema = v.object({
  /** Pairs a hypothesis with its reference. */
  id: v.pipe(v.string('a text'), v.minLength(1, 'a text that is not empty')),
  /** May be empty: a failed generation is an empty text, never a missing one. */
  text: v.string('a text'),
  /** Of the subject; in references only, and in all of them or none. */
  class: v.optional(v.picklist(CLASSES, CLASSES.join(' or '))),
});

/** A text with the id of its case. */
export type TextEntry = v.InferOutput<typeof EntrySchema>;

/**
 * Reads a file of texts, strictly: what is wrong is named with its line.
 * @throws {Brain3DError} BRAIN3D_NOT_FOUND, BRAIN3D_IO, BRAIN3D_FORMAT (no JSON), BRAIN3D_CONFIG (a field, an id twice)
 */
export async function readTexts(path: string, { signal }: { signal?: AbortSignal } = {}): Promise<TextEntry[]> {
  const file = basename(path);
  const lines = (await readUtf8(path, file, signal)).split(/\r?\n/);
  if (lines.at(-1) === '') lines.pop();
  if (lines.length === 0)
    throw new Brain3DError('BRAIN3D_FORMAT', `${file}: expected at least one text, got none`, { file });
  const entries = lines.map((line, index) =>
    entryOf(parseLine(line, `${file}:${index + 1}`, file), `${file}:${index + 1}`, file),
  );
  checkIds(entries, file);
  return entries;
}

/** Texts given in memory, held to the same rules; `where` names them in messages. */
export function checkTexts(values: unknown, where: string): TextEntry[] {
  if (!Array.isArray(values)) throw new TypeError(`scoreTexts: expected an array of texts for ${where}`);
  const entries = values.map((value, index) => entryOf(value, `${where}[${index}]`, where));
  checkIds(entries, where);
  return entries;
}

function checkIds(entries: readonly TextEntry[], file: string): void {
  const seen = new Map<string, number>();
  for (const [index, { id }] of entries.entries()) {
    const earlier = seen.get(id);
    if (earlier !== undefined) {
      const message = `${file}: expected every id once, got '${id}' as number ${earlier + 1} and ${index + 1}`;
      throw new Brain3DError('BRAIN3D_CONFIG', message, { file, field: 'id' });
    }
    seen.set(id, index);
  }
}

async function readUtf8(path: string, file: string, signal?: AbortSignal): Promise<string> {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(await readFile(path, { signal }));
  } catch (cause) {
    signal?.throwIfAborted();
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT')
      throw new Brain3DError('BRAIN3D_NOT_FOUND', `expected a file of texts, but '${file}' does not exist`, {
        file,
        cause,
      });
    if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA')
      throw new Brain3DError('BRAIN3D_FORMAT', `${file}: expected UTF-8 text, got other bytes`, { file, cause });
    throw new Brain3DError('BRAIN3D_IO', `cannot read '${file}' (${code})`, { file, cause });
  }
}

function parseLine(line: string, where: string, file: string): unknown {
  try {
    return JSON.parse(line);
  } catch (cause) {
    const got = line.trim() === '' ? 'an empty line' : `something else (${jsonFault(cause)})`;
    throw new Brain3DError('BRAIN3D_FORMAT', `${where}: expected a JSON object on one line, got ${got}`, { file });
  }
}

function entryOf(value: unknown, where: string, file: string): TextEntry {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    const got = describeUnquoted(value);
    throw new Brain3DError('BRAIN3D_FORMAT', `${where}: expected an object with id and text, got ${got}`, { file });
  }
  const known = Object.keys(EntrySchema.entries);
  const unknown = Object.keys(value).find((key) => !known.includes(key));
  if (unknown !== undefined)
    throw faulty(where, file, unknown, `unknown field '${unknown}'${suggestion(unknown, known)}`);
  const result = v.safeParse(EntrySchema, value, { abortEarly: true });
  if (result.success) return result.output;
  const issue = result.issues[0];
  const field = v.getDotPath(issue) ?? '';
  const expected = issue.input === undefined ? 'a value' : issue.message;
  throw faulty(where, file, field, `expected ${expected} for '${field}', got ${describeUnquoted(issue.input)}`);
}

function faulty(where: string, file: string, field: string, message: string): Brain3DError {
  return new Brain3DError('BRAIN3D_CONFIG', `${where}: ${message}`, { file, field });
}
