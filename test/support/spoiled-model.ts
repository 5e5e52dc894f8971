/** Copies of the demo model, of which tests spoil one thing at a time. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Refusal } from './bounds';
import { type Loose, MODEL } from './child';

let dir: string;

/** Gives each test of the file a copy of the demo model in the same arrangement: vision, language, checkpoint. */
export function copyModelBeforeEach(): void {
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'brain3d-'));
    cpSync(join(MODEL, '..'), dir, { recursive: true });
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));
}

/** The path of a file in the copy. */
export const path = (name: string): string => join(dir, name);
export const read = (name: string): Loose => JSON.parse(readFileSync(path(name), 'utf8'));
/** Writes a text as it is, anything else as JSON. */
export const write = (name: string, json: Loose): void =>
  writeFileSync(path(name), typeof json === 'string' ? json : JSON.stringify(json));

/** Sets the field at a path such as `added_tokens.1.id`. */
export const assign = (at: string, value: Loose) => (json: Loose) => {
  const keys = at.split('.');
  const last = keys.pop() as string;
  Object.assign(
    keys.reduce((object, key) => object[key], json),
    { [last]: value },
  );
};

/** The field that is at fault; undefined where the file as a whole is. */
export type Field = string | RegExp | undefined;
export type Spoil = (json: Loose) => Loose;

export function expectField(error: Refusal, field: Field): void {
  if (field instanceof RegExp) expect(error.field).toMatch(field);
  else expect(error.field).toBe(field);
}
