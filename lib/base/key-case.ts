/** Keys in files are snake_case, in TypeScript camelCase. Names of phases, which have a hyphen, are left alone. */

/** A capital at the end is no word: `rougeL` stays as it is. */
export function toSnake(key: string): string {
  return key.replace(/[A-Z](?=.)/g, (letter) => `_${letter.toLowerCase()}`);
}

export function toCamel(key: string): string {
  return key.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/** The keys of plain objects, however deep. */
export function respell(value: unknown, spell: (key: string) => string): unknown {
  if (Array.isArray(value)) return value.map((item) => respell(item, spell));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [spell(key), respell(item, spell)]));
}

/** Results as they are written: keys of plain objects, however deep. */
export function snakeCase(value: unknown): unknown {
  return respell(value, toSnake);
}
