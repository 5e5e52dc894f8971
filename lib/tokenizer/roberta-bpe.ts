/** Builds RoBERTa's tokenizer from directories that were saved before there was a tokenizer.json. */
import { bpeModel } from './bpe-files';

/** The special tokens, in their order in every published vocabulary. */
const SPECIAL_TOKENS = ['<s>', '<pad>', '</s>', '<unk>', '<mask>'];

/**
 * Builds the tokenizer.json of a vocab.json and a merges.txt.
 * @throws {Error} for texts that are none
 */
export function robertaBpe(vocabText: string, mergesText: string): object {
  const model = bpeModel(vocabText, mergesText);
  const added = SPECIAL_TOKENS.map((content) => {
    const id = model.vocab[content];
    if (id === undefined) throw new Error(`expected ${content} in vocab.json`);
    // The mask stands for a word, so it includes the space before it.
    const flags = { single_word: false, lstrip: content === '<mask>', rstrip: false, normalized: false, special: true };
    return { id, content, ...flags };
  });
  const special = (content: string) => [content, model.vocab[content]];
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };
  return {
    version: '1.0',
    added_tokens: added,
    normalizer: null,
    pre_tokenizer: byteLevel,
    post_processor: {
      type: 'RobertaProcessing',
      cls: special('<s>'),
      sep: special('</s>'),
      trim_offsets: true,
      add_prefix_space: false,
    },
    decoder: byteLevel,
    model,
  };
}
