/**
 * Checks a tokenizer.json before the library reads it, since the library trusts its file. Runs in the tokenizer's
 * thread.
 */
import { readFileSync, statSync } from 'node:fs';
import { basename } from 'node:path';

/** The size limit of a tokenizer.json. Gemma's is 33 MB. */
export const MAX_TOKENIZER_BYTES = 128 * 2 ** 20;
/** The largest number of merges. Gemma's has 514,906. */
const MAX_MERGES = 1_000_000;
const MAX_ID = 2 ** 31 - 1;
/**
 * A byte that has no token of its own, such as `<0x0A>`. A token that only looks like one would be decoded as another
 * byte.
 */
const BYTE_LIKE = /^<0x.*>$/s;
const BYTE = /^<0x[0-9A-F]{2}>$/;
const SURROGATE = /\p{Surrogate}/u;

type Json = Record<string, unknown>;

/** Returns the text of a file of at most `maxBytes`. @throws {Error} if it is longer or no regular file */
export function readBounded(path: string, maxBytes: number): string {
  const status = statSync(path);
  if (!status.isFile()) throw new Error(`expected a regular file, got something else as ${basename(path)}`);
  if (status.size > maxBytes) throw new Error(`expected at most ${maxBytes} bytes, got ${status.size}`);
  return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path));
}

/**
 * Refuses a tokenizer whose tables contradict themselves. Ids must be 0 to n - 1, each once; merges and added tokens
 * must name existing tokens.
 * @throws {Error} naming the field
 */
export function checkTokenizer(json: unknown): void {
  const model = objectAt(json, 'model');
  if (model.type !== 'BPE') refuse('model.type', `expected BPE, got ${show(model.type)}`);
  const ids = checkVocabulary(objectAt(model, 'vocab', 'model.vocab'), model.byte_fallback === true);
  checkMerges(model.merges, ids);
  checkAdded((json as Json).added_tokens ?? [], ids);
  let largest = -1;
  for (const id of ids.values()) largest = Math.max(largest, id);
  if (largest + 1 !== ids.size)
    refuse('model.vocab', `expected ids from 0 to ${ids.size - 1} without holes, got ${largest} as the largest`);
}

function checkVocabulary(vocab: Json, hasBytes: boolean): Map<string, number> {
  const ids = new Map<string, number>();
  const seen = new Set<number>();
  for (const [token, id] of Object.entries(vocab)) {
    if (!isId(id)) refuse('model.vocab', `expected an id from 0 to ${MAX_ID} for ${show(token)}, got ${show(id)}`);
    if (seen.has(id)) refuse('model.vocab', `expected each id once, got ${id} for ${show(token)} as well`);
    if (SURROGATE.test(token)) refuse('model.vocab', `expected text, got half a character as the token of id ${id}`);
    if (hasBytes && BYTE_LIKE.test(token) && !BYTE.test(token))
      refuse('model.vocab', `expected bytes as <0x00> to <0xFF>, got ${show(token)}`);
    seen.add(id);
    ids.set(token, id);
  }
  if (ids.size === 0) refuse('model.vocab', 'expected tokens, got none');
  return ids;
}

function checkMerges(merges: unknown, ids: ReadonlyMap<string, number>): void {
  if (!Array.isArray(merges)) refuse('model.merges', 'expected a list of pairs');
  if (merges.length > MAX_MERGES) refuse('model.merges', `expected at most ${MAX_MERGES}, got ${merges.length}`);
  for (const [index, merge] of merges.entries()) {
    const pair: unknown = typeof merge === 'string' ? merge.split(' ') : merge;
    const [left, right, more] = Array.isArray(pair) ? pair : [];
    if (typeof left !== 'string' || typeof right !== 'string' || more !== undefined)
      refuse(`model.merges[${index}]`, `expected two tokens, got ${show(merge)}`);
    const unknown = [left, right, left + right].find((token) => !ids.has(token));
    if (unknown !== undefined)
      refuse(`model.merges[${index}]`, `expected tokens of the vocabulary, got ${show(unknown)}`);
  }
}

/** Adds the added tokens to `ids`. They may stand in the vocabulary too, under the same id. */
function checkAdded(added: unknown, ids: Map<string, number>): void {
  if (!Array.isArray(added)) refuse('added_tokens', 'expected a list');
  const owners = new Map([...ids].map(([token, id]) => [id, token]));
  for (const [index, token] of added.entries()) {
    const { id, content } = (token ?? {}) as Json;
    const where = `added_tokens[${index}]`;
    if (typeof content !== 'string' || content === '')
      refuse(`${where}.content`, `expected a text that is not empty, got ${show(content)}`);
    if (!isId(id)) refuse(`${where}.id`, `expected an id from 0 to ${MAX_ID}, got ${show(id)}`);
    const [known, owner] = [ids.get(content), owners.get(id)];
    if ((known ?? id) !== id || (owner ?? content) !== content)
      refuse(where, `expected an id of its own for ${show(content)}, got ${id} of ${show(owner ?? content)}`);
    ids.set(content, id);
    owners.set(id, content);
  }
}

/** Throws an error with its `field`, which reaches the caller of tokenizer.ts when the thread ends. */
function refuse(field: string, message: string): never {
  throw Object.assign(new Error(`${field}: ${message}`), { field });
}

function isId(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= MAX_ID;
}

function objectAt(value: unknown, key: string, where = key): Json {
  const found = typeof value === 'object' && value !== null ? (value as Json)[key] : undefined;
  if (typeof found === 'object' && found !== null && !Array.isArray(found)) return found as Json;
  refuse(where, `expected an object, got ${show(found)}`);
}

/** Makes a text fit for a message: escaped and short. */
function show(value: unknown): string {
  return (JSON.stringify(value) ?? String(value)).slice(0, 60);
}
