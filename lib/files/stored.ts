/** Our own JSON files, which are written whole and indented, and read back by the schema they were written with. */
import * as v from 'valibot';
import { respell, toCamel, toSnake } from '../base/key-case';
import { writeFileAtomic } from './atomic-file';

/** Writes a value as a JSON file, atomically. */
export async function writeStored(path: string, value: object): Promise<void> {
  await writeFileAtomic(path, `${JSON.stringify(value, null, 2)}\n`);
}

export type StoredResult<T> = { isIntact: true; value: T } | { isIntact: false; field: string | null };

/** Parses a stored text. If it is not as it was written, returns the first field that differs (null: it is no JSON). */
export function parseStored<TSchema extends v.GenericSchema>(
  schema: TSchema,
  text: string,
): StoredResult<v.InferOutput<TSchema>> {
  const result = v.safeParse(v.pipe(v.string(), v.parseJson(), schema), text);
  if (result.success) return { isIntact: true, value: result.output };
  return { isIntact: false, field: v.getDotPath(result.issues[0]) };
}

/**
 * Returns a value as it is stored: its keys in snake_case, in the schema's order. A strict schema throws for a field
 * that it does not know, so that a field added to a type cannot be lost on its way to the disk.
 */
export function toStored<TSchema extends v.GenericSchema>(schema: TSchema, value: object): v.InferOutput<TSchema> {
  return v.parse(schema, respell(value, toSnake));
}

/** Reverses `toStored`. The schema has made sure that the stored value has the fields of `T`. */
export function fromStored<T extends object>(stored: object): T {
  return respell(stored, toCamel) as T;
}
