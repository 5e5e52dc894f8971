/** Keys of results in files and on stdout: snake_case, but for names of metrics that are spelled as everywhere. */
import { respell, toSnake } from './training/spelling';

const KEPT = new Set(['rougeL']);

export function resultKey(key: string): string {
  return KEPT.has(key) ? key : toSnake(key);
}

/** Keys of plain objects, however deep, from camelCase to snake_case. */
export function snakeCase(value: unknown): unknown {
  return respell(value, resultKey);
}
