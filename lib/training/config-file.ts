/** Reads a configuration file: JSON with the trainer's settings, keys in snake_case. */
import { basename } from 'node:path';
import * as v from 'valibot';
import { Brain3DError } from '../base/errors';
import { respell, toCamel, toSnake } from '../base/key-case';
import { findUnknownKey, suggestion } from '../base/validate';
import { isJsonObject, readJson } from '../files/json';
import { SettingsSchema, type TrainingConfig } from './settings';

/**
 * Reads the file strictly: an unknown key is refused with the nearest known one. @throws {Brain3DError}
 * BRAIN3D_NOT_FOUND, BRAIN3D_IO, BRAIN3D_CONFIG
 */
export async function readConfigFile(path: string): Promise<TrainingConfig> {
  const file = basename(path);
  const fault = (message: string, field?: string) =>
    new Brain3DError('BRAIN3D_CONFIG', `${file}: ${message}`, { file, ...(field === undefined ? {} : { field }) });
  const json = await readJson(path, { what: 'a configuration', fault });
  if (!isJsonObject(json)) throw fault('expected a JSON object');
  const unknown = findUnknownKey(SettingsSchema, json, toSnake);
  if (unknown !== null)
    throw fault(`unknown key '${unknown.path}'${suggestion(unknown.key, unknown.known)}`, unknown.path);
  const result = v.safeParse(SettingsSchema, respell(json, toCamel), { abortEarly: true });
  if (result.success) return result.output;
  const issue = result.issues[0];
  const field = toSnake(v.getDotPath(issue) ?? '');
  throw fault(`${issue.message} for '${field}', got ${JSON.stringify(issue.input)}`, field);
}
