/** What may be said of contents that may identify a patient: what they are like, never themselves. */

/** Such as `a text of 12 characters`. */
export function describeUnquoted(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  if (typeof value !== 'string') return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
  return value === '' ? 'an empty text' : `a text of ${value.length} characters`;
}

/** JSON, after the byte order mark that some editors put before it. @throws {SyntaxError} which quotes the text: see `jsonFault` */
export function parseJson(text: string): unknown {
  return JSON.parse(text.replace(/^\uFEFF/, ''));
}

/** Why `JSON.parse` failed; its own message quotes the text around. */
export function jsonFault(cause: unknown): string {
  const { message } = cause as Error;
  if (/unexpected end|unterminated/i.test(message)) return 'it ends too early';
  const [, position] = /position (\d+)/.exec(message) ?? [];
  return position === undefined ? 'a character is not JSON' : `character ${Number(position) + 1} is not JSON`;
}
