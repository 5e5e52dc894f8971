/** Writes results to stdout and everything else to stderr. */
import { styleText } from 'node:util';
import { snakeCase } from '../base/key-case';
import { writeErr, writeOut } from './streams';

type Style = Parameters<typeof styleText>[0];

/** Prints a line of a result. */
export function print(line: string): void {
  writeOut(`${line}\n`);
}

export function printJson(value: unknown): void {
  print(JSON.stringify(snakeCase(value), null, 2));
}

/** Prints something worth knowing that is no result. */
export function note(line: string): void {
  writeErr(`brain3d: ${printable(line)}\n`);
}

/**
 * Escapes a text for the terminal. File names come from elsewhere, so characters that would steer the terminal, or turn
 * the text's direction, are written as their numbers.
 */
export function printable(text: string): string {
  return text.replace(/[^\P{Cc}\n\t]|[\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}

/** Colours a text if stdout is a terminal with colours and NO_COLOR does not forbid them. */
export function styled(style: Style, text: string): string {
  return process.stdout.isTTY && process.stdout.hasColors() ? styleText(style, text) : text;
}

/** Prints two columns, the first as wide as it must be. */
export function printTable(rows: readonly (readonly [label: string, value: string])[]): void {
  const width = Math.max(...rows.map(([label]) => label.length));
  for (const [label, value] of rows) print(`${label.padEnd(width)}  ${value}`);
}

export function gibibytes(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}
