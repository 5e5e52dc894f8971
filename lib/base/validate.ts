/**
 * Validates what callers pass. All messages have one form, and an unknown option name is refused with the nearest known
 * one.
 */
import * as v from 'valibot';

/**
 * Parses an options object. Wrong types are `TypeError`, wrong values `RangeError`, unknown keys `TypeError` with a
 * suggestion. `where` names the function in messages.
 */
export function parseOptions<TSchema extends v.ObjectSchema<v.ObjectEntries, undefined>>(
  where: string,
  schema: TSchema,
  options: unknown,
): v.InferOutput<TSchema> {
  if (options === null || typeof options !== 'object' || Array.isArray(options)) {
    throw new TypeError(`${where}: expected an options object, got ${describe(options)}`);
  }
  const unknown = findUnknownKey(schema, options);
  if (unknown !== null)
    throw new TypeError(`${where}: unknown option '${unknown.path}'${suggestion(unknown.key, unknown.known)}`);
  const result = v.safeParse(schema, options, { abortEarly: true });
  if (result.success) return result.output;
  const issue = result.issues[0] as v.BaseIssue<unknown>;
  const path = v.getDotPath(issue) ?? 'options';
  const message = `${where}: ${issue.message} for ${path}, got ${describe(issue.input)}`;
  throw issue.kind === 'schema' ? new TypeError(message) : new RangeError(message);
}

/**
 * Finds the first key, in nested objects too, that the schema does not have. `spell` turns the schema's keys into the
 * spelling that the value's writer uses.
 */
export function findUnknownKey(
  schema: v.GenericSchema,
  value: unknown,
  spell: (key: string) => string = (key) => key,
  parents: readonly string[] = [],
): { key: string; path: string; known: string[] } | null {
  const entries = entriesOf(schema);
  if (entries === null || value === null || typeof value !== 'object' || Array.isArray(value)) return null;
  const bySpelling = new Map(Object.entries(entries).map(([key, entry]) => [spell(key), entry]));
  for (const [key, item] of Object.entries(value)) {
    const entry = bySpelling.get(key);
    const path = [...parents, key];
    if (entry === undefined) return { key, path: path.join('.'), known: [...bySpelling.keys()] };
    const inner = findUnknownKey(entry, item, spell, path);
    if (inner !== null) return inner;
  }
  return null;
}

/** Returns the entries of an object's schema, also behind `optional` and `nullable`; null for other schemas. */
function entriesOf(schema: v.GenericSchema): Record<string, v.GenericSchema> | null {
  const { entries, wrapped } = schema as { entries?: Record<string, v.GenericSchema>; wrapped?: v.GenericSchema };
  if (wrapped !== undefined) return entriesOf(wrapped);
  return entries ?? null;
}

/** Returns `; did you mean 'temperature'?`, or the known names where none is near. */
export function suggestion(name: string, known: readonly string[]): string {
  const ranked = known.map((candidate) => ({ candidate, distance: editDistance(name, candidate) }));
  ranked.sort((a, b) => a.distance - b.distance);
  const best = ranked[0];
  if (best !== undefined && best.distance <= Math.max(2, name.length / 3)) return `; did you mean '${best.candidate}'?`;
  return `; known are ${known.join(', ')}`;
}

/** The Levenshtein distance without regard to case. */
function editDistance(left: string, right: string): number {
  const a = left.toLowerCase();
  const b = right.toLowerCase();
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substituted = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substituted, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}

function describe(value: unknown): string {
  if (typeof value === 'string') return `'${value.length > 60 ? `${value.slice(0, 60)}...` : value}'`;
  if (value === null || typeof value === 'undefined' || typeof value === 'number' || typeof value === 'boolean')
    return String(value);
  return Array.isArray(value) ? 'an array' : `a value of type ${typeof value}`;
}

/** The positive normal numbers of float32, rounded inwards. */
export const FLOAT32 = { smallest: 1.18e-38, largest: 3.4e38 };

/** Schemas with messages that read "expected ..." in `parseOptions`. */
export const is = {
  text: () => v.string('expected a string'),
  flag: () => v.boolean('expected true or false'),
  oneOf: <const T extends readonly string[]>(names: T) => v.picklist(names, `expected ${names.join(' or ')}`),
  integer: (min: number, max: number) => {
    const message = `expected an integer from ${min} to ${max}`;
    return v.pipe(v.number(message), v.integer(message), v.minValue(min, message), v.maxValue(max, message));
  },
  number: (min: number, max: number) => {
    const message = `expected a number from ${min} to ${max}`;
    return v.pipe(v.number(message), v.finite(message), v.minValue(min, message), v.maxValue(max, message));
  },
  positive: () => {
    const message = 'expected a number > 0';
    return v.pipe(v.number(message), v.finite(message), v.gtValue(0, message));
  },
  /**
   * A number that float32 arithmetic can multiply and divide by: in float32 it is neither 0 nor infinite, nor rounded
   * coarsely.
   */
  factor: () => {
    const range = `expected a number from ${FLOAT32.smallest} to ${FLOAT32.largest}`;
    return v.pipe(is.positive(), v.minValue(FLOAT32.smallest, range), v.maxValue(FLOAT32.largest, range));
  },
  callback: <T extends (...args: never[]) => void>() =>
    v.custom<T>((value) => typeof value === 'function', 'expected a function'),
  signal: () =>
    v.custom<AbortSignal>(
      (value) => typeof (value as AbortSignal | null)?.throwIfAborted === 'function',
      'expected an AbortSignal',
    ),
};
