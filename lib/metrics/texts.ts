/** Reads files of texts with one JSON object on a line: `{"id": ..., "text": ...}`, for references also `class`. */
import { basename } from 'node:path';
import * as v from 'valibot';
import { Brain3DError } from '../base/errors';
import { CLASSES } from '../dataset/manifest';
import { checkFields, readJsonLines, requireObject } from '../files/json';

const EntrySchema = v.object({
  /** The id that pairs a hypothesis with its reference. */
  id: v.pipe(v.string('a text'), v.minLength(1, 'a text that is not empty')),
  /** The text; it may be empty. A failed generation is an empty text, never a missing one. */
  text: v.string('a text'),
  /** The class of the subject. It stands in references only, and in all of them or none. */
  class: v.optional(v.picklist(CLASSES, CLASSES.join(' or '))),
});

/** A text with the id of its case. */
export type TextEntry = v.InferOutput<typeof EntrySchema>;

/**
 * Reads a file of texts strictly; an error names the line.
 * @throws {Brain3DError} BRAIN3D_NOT_FOUND, BRAIN3D_IO, BRAIN3D_FORMAT (no JSON), BRAIN3D_CONFIG (a field, an id twice)
 */
export async function readTexts(path: string, { signal }: { signal?: AbortSignal } = {}): Promise<TextEntry[]> {
  const file = basename(path);
  const lines = await readJsonLines(path, { what: 'a file of texts', signal });
  if (lines.length === 0)
    throw new Brain3DError('BRAIN3D_FORMAT', `${file}: expected at least one text, got none`, { file });
  const entries = lines.map(({ value, where }) => checkFields(EntrySchema, value, where, file));
  checkIds(entries, file);
  return entries;
}

/** Checks texts given in memory by the same rules; `where` names them in messages. */
export function checkTexts(values: unknown, where: string): TextEntry[] {
  if (!Array.isArray(values)) throw new TypeError(`scoreTexts: expected an array of texts for ${where}`);
  const entries = values.map((value, index) => {
    const place = `${where}[${index}]`;
    return checkFields(EntrySchema, requireObject(value, place, where), place, where);
  });
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
