/**
 * The families of language models, as far as they differ for TypeScript: names of tokens and rows of the embedding. The
 * native core has a table of the same families (native/models/language/family.cpp), with all that they compute.
 */
import { join } from 'node:path';
import { Brain3DError } from '../base/errors';
import type { Tokenizer } from '../tokenizer/tokenizer';
import { readJsonFile } from './backbone';

export interface LanguageFamily {
  title: string;
  /** `model_type` of config.json. */
  modelTypes: readonly string[];
  /** The token that a text begins with, or null where a text begins with nothing. */
  bos: string | null;
  /** The token that ends a report. The one that a chat model stops at never occurs in a report. */
  eos: string;
  /** The token that fills a batch behind a report that has ended. */
  pad: string;
  /** Fewer rows of the embedding than this may be without a token. With more, the tokenizer belongs to another model. */
  unusedRows: number;
}

const FAMILIES: readonly LanguageFamily[] = [
  {
    title: 'Gemma 3',
    modelTypes: ['gemma3', 'gemma3_text'],
    bos: '<bos>',
    eos: '<eos>',
    pad: '<pad>',
    unusedRows: 128,
  },
  // The 151,665 tokens have 151,936 rows up to 3B, and 152,064 from 7B on.
  { title: 'Qwen 2.5', modelTypes: ['qwen2'], bos: null, eos: '<|endoftext|>', pad: '<|endoftext|>', unusedRows: 512 },
];

/** Reads the family of a language backbone. @throws {Brain3DError} BRAIN3D_NOT_FOUND, BRAIN3D_CONFIG */
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

/** Returns the id of the token that ends a report. @throws {Brain3DError} BRAIN3D_CONFIG if the tokenizer has none */
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

/** Checks that a text begins as the family's models have learnt it. @throws {Brain3DError} BRAIN3D_CONFIG */
export async function requireBegin(family: LanguageFamily, tokenizer: Tokenizer): Promise<void> {
  const [text, whole] = [await tokenizer.encode('a', false), await tokenizer.encode('a', true)];
  const begin = family.bos === null ? [] : [tokenizer.summary.added[family.bos]];
  if (JSON.stringify(whole) === JSON.stringify([...begin, ...text])) return;
  const { file } = tokenizer;
  throw new Brain3DError(
    'BRAIN3D_CONFIG',
    `${file}: expected a text of a ${family.title} model to begin with ${family.bos ?? 'no special token'}, and nothing else ` +
      'around it; give the tokenizer that belongs to the model',
    { file, field: 'post_processor' },
  );
}

/** Returns the id that fills a batch. Rows that have ended are not read, so without such a token any other will do. */
export function padTokenId(family: LanguageFamily, tokenizer: Tokenizer): number {
  return tokenizer.summary.added[family.pad] ?? 0;
}
