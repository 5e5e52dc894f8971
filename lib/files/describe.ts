/** Describes contents that may identify a patient without quoting them. */

/** Returns a description such as `a text of 12 characters`. */
export function describeUnquoted(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  if (typeof value !== 'string') return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
  return value === '' ? 'an empty text' : `a text of ${value.length} characters`;
}
