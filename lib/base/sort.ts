/** Sort orders that are the same on every machine. */

/** Compares by UTF-16 code units, which is the same everywhere, unlike `localeCompare`. */
export function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
