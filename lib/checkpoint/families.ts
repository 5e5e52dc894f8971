/**
 * The families of language models, as far as they differ for TypeScript: names of tokens, and rows of the embedding. What
 * they compute is in native/models/language/family.cpp, which knows the same types.
 */
import { join } from 'node:path';
import { Brain3DError } from '../base/errors';
import type { Tokenizer } from '../tokenizer/tokenizer';
import { readJsonFile } from './backbone';

export interface LanguageFamily {
  title: string;
  /** `model_type` of config.json. */
  modelTypes: readonly string[];
  /** Ends a report. What a chat model stops at never occurs in one. */
  eos: string;
  /** Stands behind a report that has ended, in a batch. */
  pad: string;
  /** The embedding may have fewer than this many rows without a token; more is another model's tokenizer. */
  unusedRows: number;
}

const FAMILIES: readonly LanguageFamily[] = [
  { title: 'Gemma 3', modelTypes: ['gemma3', 'gemma3_text'], eos: '<eos>', pad: '<pad>', unusedRows: 128 },
  // 151,665 tokens have 151,936 rows up to 3B, and 152,064 from 7B on.
  { title: 'Qwen 2.5', modelTypes: ['qwen2'], eos: '<|endoftext|>', pad: '<|endoftext|>', unusedRows: 512 },
];

/** The family of a language backbone. @throws {Brain3DError} BRAIN3D_NOT_FOUND, BRAIN3D_CONFIG */
export async function readLanguageFamily(dir: string): Promise<LanguageFamily> {
  const config = await readJsonFile(join(dir, 'config.json'));
  const type = (config as { model_type?: unknown } | null)?.model_type;
  const family = FAMILIES.find(({ modelTypes }) => modelTypes.some((known) => known === type));
  if (family !== undefined) return family;
  const known = FAMILIES.flatMap(({ modelTypes }) => modelTypes);
  const expected = `${known.slice(0, -1).join(', ')} or ${known.at(-1)} (a language backbone)`;
  const got = type === undefined ? 'nothing' : JSON.stringify(type).slice(0, 80);
  throw new Brain3DError('BRAIN3D_CONFIG', `config.json: expected ${expected} for 'model_type', got ${got}`, {
    file: 'config.json',
    field: 'model_type',
  });
}

/** The id of the token that ends a report. @throws {Brain3DError} BRAIN3D_CONFIG if the tokenizer has none */
export function eosTokenId(family: LanguageFamily, tokenizer: Tokenizer): number {
  const id = tokenizer.summary.added[family.eos];
  if (id !== undefined) return id;
  const { file } = tokenizer;
  throw new Brain3DError(
    'BRAIN3D_CONFIG',
    `${file} has no '${family.eos}' token, with which the reports of a ${family.title} model end; give the tokenizer that ` +
      'belongs to the model',
    { file, field: family.eos },
  );
}

/** The id that fills up a batch; rows that have ended are not read, so without such a token any other will do. */
export function padTokenId(family: LanguageFamily, tokenizer: Tokenizer): number {
  return tokenizer.summary.added[family.pad] ?? 0;
}
