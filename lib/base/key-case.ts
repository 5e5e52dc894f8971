/**
 * Converts keys between snake_case in files and camelCase in TypeScript. Names of phases, which have a hyphen, are left
 * alone.
 */

/** A capital at the end begins no word: `rougeL` stays as it is. */
export function toSnake(key: string): string {
  return key.replace(/[A-Z](?=.)/g, (letter) => `_${letter.toLowerCase()}`);
}

export function toCamel(key: string): string {
  return key.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/** Converts the keys of plain objects at every depth. */
export function respell(value: unknown, spell: (key: string) => string): unknown {
  if (Array.isArray(value)) return value.map((item) => respell(item, spell));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [spell(key), respell(item, spell)]));
}

/** Converts results to the form in which they are written: snake_case keys of plain objects at every depth. */
export function snakeCase(value: unknown): unknown {
  return respell(value, toSnake);
}
