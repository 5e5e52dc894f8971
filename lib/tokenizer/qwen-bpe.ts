/**
 * Builds Qwen 2.5's tokenizer from the files of the slow class: vocab.json and merges.txt, and the added tokens in
 * tokenizer_config.json (`added_tokens_decoder`) or added_tokens.json.
 */
import { bpeModel } from './bpe-files';

/** The texts of the files that are there. */
export interface QwenFiles {
  vocab: string;
  merges: string;
  tokenizerConfig?: string | undefined;
  addedTokens?: string | undefined;
  specialTokensMap?: string | undefined;
}

type Json = Record<string, unknown>;

/** The expression by which transformers' Qwen2Tokenizer splits a text before merging. */
const PRE_TOKENIZER =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

const NAMED_TOKENS = ['bos_token', 'eos_token', 'unk_token', 'pad_token', 'sep_token', 'cls_token', 'mask_token'];

/**
 * Builds the tokenizer.json of these files. It puts nothing around a text, since Qwen has no token for a text's begin.
 * @throws {Error} for texts that are none
 */
export function qwenBpe(files: QwenFiles): object {
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false };
  const split = { type: 'Split', pattern: { Regex: PRE_TOKENIZER }, behavior: 'Isolated', invert: false };
  return {
    version: '1.0',
    added_tokens: addedTokens(files),
    normalizer: { type: 'NFC' },
    pre_tokenizer: { type: 'Sequence', pretokenizers: [split, byteLevel] },
    post_processor: null,
    decoder: byteLevel,
    model: bpeModel(files.vocab, files.merges),
  };
}

function addedTokens(files: QwenFiles): object[] {
  const config = parse(files.tokenizerConfig);
  const decoder = config.added_tokens_decoder;
  if (isObject(decoder))
    return Object.entries(decoder).map(([id, token]) => {
      const { content, single_word, lstrip, rstrip, normalized, special } = isObject(token) ? token : {};
      const flag = (value: unknown): boolean => value === true;
      return {
        id: Number(id),
        content,
        single_word: flag(single_word),
        lstrip: flag(lstrip),
        rstrip: flag(rstrip),
        normalized: flag(normalized),
        special: flag(special),
      };
    });
  const special = new Set([...namedTokens(config), ...namedTokens(parse(files.specialTokensMap))]);
  return Object.entries(parse(files.addedTokens)).map(([content, id]) => ({
    id,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: special.has(content),
  }));
}

/** Lists the tokens that a configuration names for a purpose. Each is a text, or an object with its `content`. */
function namedTokens(config: Json): unknown[] {
  const additional = config.additional_special_tokens;
  const tokens = [...NAMED_TOKENS.map((name) => config[name]), ...(Array.isArray(additional) ? additional : [])];
  return tokens.map((token) => (isObject(token) ? token.content : token));
}

function parse(text: string | undefined): Json {
  const json: unknown = text === undefined ? {} : JSON.parse(text);
  return isObject(json) ? json : {};
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
