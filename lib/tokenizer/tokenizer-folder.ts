/** Knows which files of a model directory make its tokenizer, and reads them. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { qwenBpe } from './qwen-bpe';
import { robertaBpe } from './roberta-bpe';
import { MAX_TOKENIZER_BYTES, readBounded } from './tokenizer-file';

const SLOW_FILES = ['vocab.json', 'merges.txt'];
/** The files that the slow classes save beside those two, and that may decide about ids. */
const SLOW_SETTINGS = ['added_tokens.json', 'special_tokens_map.json', 'tokenizer_config.json'];

/**
 * Lists those of a directory's `names` that decide about its tokenizer's ids: tokenizer.json, or, where there is none,
 * vocab.json and merges.txt with the files beside them. The list is empty where there is no tokenizer.
 */
export function tokenizerFiles(names: readonly string[]): string[] {
  if (names.includes('tokenizer.json')) return ['tokenizer.json'];
  if (!SLOW_FILES.every((name) => names.includes(name))) return [];
  return names.filter((name) => SLOW_FILES.includes(name) || SLOW_SETTINGS.includes(name));
}

/** Returns the tokenizer.json of a directory that has a tokenizer. The files of a slow class are turned into one. */
export function readTokenizer(dir: string): object {
  const has = (name: string): boolean => existsSync(join(dir, name));
  const read = (name: string): string => readBounded(join(dir, name), MAX_TOKENIZER_BYTES);
  if (has('tokenizer.json')) return JSON.parse(read('tokenizer.json'));
  const readIfThere = (name: string): string | undefined => (has(name) ? read(name) : undefined);
  const [vocab, merges, tokenizerConfig] = [
    read('vocab.json'),
    read('merges.txt'),
    readIfThere('tokenizer_config.json'),
  ];
  if (!isQwen(tokenizerConfig, readIfThere('config.json'))) return robertaBpe(vocab, merges);
  const addedTokens = readIfThere('added_tokens.json');
  const specialTokensMap = readIfThere('special_tokens_map.json');
  return qwenBpe({ vocab, merges, tokenizerConfig, addedTokens, specialTokensMap });
}

/** Decides by the tokenizer's class, or by the model's type where no class is named. */
function isQwen(tokenizerConfig: string | undefined, config: string | undefined): boolean {
  const named = (tokenizerConfig === undefined ? {} : JSON.parse(tokenizerConfig)).tokenizer_class;
  if (typeof named === 'string') return /^Qwen2Tokenizer(Fast)?$/.test(named);
  return config !== undefined && JSON.parse(config).model_type === 'qwen2';
}
