/** Orders that are the same on every machine. */

/** By UTF-16 code units: unlike `localeCompare` the same everywhere. */
export function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
