/** Keys in files and on stdout are snake_case, in TypeScript camelCase. */

/** Names of metrics that are spelled as everywhere. */
const KEPT = new Set(['rougeL']);

export function toSnake(key: string): string {
  return KEPT.has(key) ? key : key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** Keys of plain objects, however deep, from camelCase to snake_case. */
export function snakeCase(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(snakeCase);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [toSnake(key), snakeCase(item)]));
}
