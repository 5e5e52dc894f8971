/** A configuration file: JSON, the trainer's settings with keys in snake_case. */
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import * as v from 'valibot';
import { Brain3DError } from '../base/errors';
import { respell, toCamel, toSnake } from '../base/key-case';
import { findUnknownKey, suggestion } from '../base/validate';
import { jsonFault, parseJson } from '../files/describe';
import { SettingsSchema, type TrainingConfig } from './settings';

/** Strict: an unknown key is refused with the nearest known one. @throws {Brain3DError} BRAIN3D_NOT_FOUND, BRAIN3D_IO, BRAIN3D_CONFIG */
export async function readConfigFile(path: string): Promise<TrainingConfig> {
  const file = basename(path);
  const fail = (message: string, field?: string): never => {
    throw new Brain3DError('BRAIN3D_CONFIG', `${file}: ${message}`, {
      file,
      ...(field === undefined ? {} : { field }),
    });
  };
  const json = parse(await read(path, file), fail);
  if (json === null || typeof json !== 'object' || Array.isArray(json)) return fail('expected a JSON object');
  const unknown = findUnknownKey(SettingsSchema, json, toSnake);
  if (unknown !== null)
    return fail(`unknown key '${unknown.path}'${suggestion(unknown.key, unknown.known)}`, unknown.path);
  const result = v.safeParse(SettingsSchema, respell(json, toCamel), { abortEarly: true });
  if (result.success) return result.output;
  const issue = result.issues[0];
  const field = toSnake(v.getDotPath(issue) ?? '');
  return fail(`${issue.message} for '${field}', got ${JSON.stringify(issue.input)}`, field);
}

async function read(path: string, file: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT')
      throw new Brain3DError('BRAIN3D_NOT_FOUND', `expected the configuration '${file}', but it does not exist`, {
        file,
        cause,
      });
    throw new Brain3DError('BRAIN3D_IO', `cannot read '${file}' (${code})`, { file, cause });
  }
}

function parse(text: string, fail: (message: string) => never): unknown {
  try {
    return parseJson(text);
  } catch (cause) {
    return fail(`expected JSON (${jsonFault(cause)})`);
  }
}
