/** Strict reading of JSON that people and other programs write, either a whole file or an object on each line. */
import { basename } from 'node:path';
import * as v from 'valibot';
import { Brain3DError } from '../base/errors';
import { suggestion } from '../base/validate';
import { describeUnquoted } from './describe';
import { readText, type TextRules } from './text';

/**
 * Parses JSON, after the byte order mark that some editors put before it. @throws {SyntaxError} which quotes the text:
 * see `jsonFault`
 */
export function parseJson(text: string): unknown {
  return JSON.parse(text.replace(/^\uFEFF/, ''));
}

/** The reason why `JSON.parse` failed. Its own message quotes the text around the fault. */
export function jsonFault(cause: unknown): string {
  const { message } = cause as Error;
  if (/unexpected end|unterminated/i.test(message)) return 'it ends too early';
  const [, position] = /position (\d+)/.exec(message) ?? [];
  return position === undefined ? 'a character is not JSON' : `character ${Number(position) + 1} is not JSON`;
}

/** Returns the value in a JSON file. @throws {Brain3DError} as `readText`; the rules' `fault` for what is no JSON */
export async function readJson(path: string, rules: TextRules): Promise<unknown> {
  const text = await readText(path, rules);
  try {
    return parseJson(text);
  } catch (cause) {
    const file = basename(path);
    const message = `expected JSON, got something else (${jsonFault(cause)})`;
    throw rules.fault?.(message) ?? new Brain3DError('BRAIN3D_FORMAT', `${file}: ${message}`, { file });
  }
}

/** Whether a value is an object in JSON's sense. */
export function isJsonObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A line of JSON lines, with its place for messages, such as `texts.jsonl:3`. */
export interface JsonLine {
  value: object;
  where: string;
}

/**
 * Returns the objects of a file of JSON lines, one for each line; only the last line may be empty.
 * @throws {Brain3DError} as `readText`; BRAIN3D_FORMAT naming the line that is no JSON object
 */
export async function readJsonLines(path: string, rules: TextRules): Promise<JsonLine[]> {
  const file = basename(path);
  const lines = (await readText(path, rules)).split(/\r?\n/);
  if (lines.at(-1) === '') lines.pop();
  return lines.map((line, index) => {
    const where = `${file}:${index + 1}`;
    return { value: requireObject(parseLine(line, where, file), where, file), where };
  });
}

function parseLine(line: string, where: string, file: string): unknown {
  try {
    return JSON.parse(line);
  } catch (cause) {
    const got = line.trim() === '' ? 'an empty line' : `something else (${jsonFault(cause)})`;
    throw new Brain3DError('BRAIN3D_FORMAT', `${where}: expected a JSON object on one line, got ${got}`, { file });
  }
}

/** @throws {Brain3DError} BRAIN3D_FORMAT for what is no object; `where` and `file` are for the message */
export function requireObject(value: unknown, where: string, file: string): object {
  if (isJsonObject(value)) return value;
  throw new Brain3DError('BRAIN3D_FORMAT', `${where}: expected a JSON object, got ${describeUnquoted(value)}`, {
    file,
  });
}

/**
 * Checks an object's fields, all of which the schema must know. `where` and `file` are for the message.
 * @throws {Brain3DError} BRAIN3D_CONFIG naming the first field that is unknown or not as it should be
 */
export function checkFields<TSchema extends v.ObjectSchema<v.ObjectEntries, undefined>>(
  schema: TSchema,
  object: object,
  where: string,
  file: string,
): v.InferOutput<TSchema> {
  const known = Object.keys(schema.entries);
  const unknown = Object.keys(object).find((key) => !known.includes(key));
  if (unknown !== undefined)
    throw fieldFault(where, file, unknown, `unknown field '${unknown}'${suggestion(unknown, known)}`);
  const result = v.safeParse(schema, object, { abortEarly: true });
  if (result.success) return result.output;
  const issue = result.issues[0];
  const field = v.getDotPath(issue) ?? '';
  const expected = issue.input === undefined ? 'a value' : issue.message;
  throw fieldFault(where, file, field, `expected ${expected} for '${field}', got ${describeUnquoted(issue.input)}`);
}

export function fieldFault(where: string, file: string, field: string, message: string): Brain3DError {
  return new Brain3DError('BRAIN3D_CONFIG', `${where}: ${message}`, { file, field });
}
