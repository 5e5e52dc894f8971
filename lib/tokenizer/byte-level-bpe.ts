/** Builds RoBERTa's tokenizer from directories that were saved before there was a tokenizer.json. */

/** The special tokens, in their order in every published vocabulary. */
const SPECIAL_TOKENS = ['<s>', '<pad>', '</s>', '<unk>', '<mask>'];

/**
 * Builds the tokenizer.json of a vocab.json (token to id) and a merges.txt (`left right` a line, best first).
 * @throws {Error} for texts that are none
 */
export function byteLevelBpe(vocabText: string, mergesText: string): object {
  const vocab: Record<string, number> = JSON.parse(vocabText);
  const lines = mergesText.split(/\r?\n/).filter((line) => line !== '' && !line.startsWith('#version'));
  const merges = lines.map((line) => line.split(' '));
  if (merges.some((pair) => pair.length !== 2)) throw new Error('expected two tokens in each line of merges.txt');
  const added = SPECIAL_TOKENS.map((content) => {
    const id = vocab[content];
    if (id === undefined) throw new Error(`expected ${content} in vocab.json`);
    // The mask stands for a word, so it includes the space before it.
    const flags = { single_word: false, lstrip: content === '<mask>', rstrip: false, normalized: false, special: true };
    return { id, content, ...flags };
  });
  const special = (content: string) => [content, vocab[content]];
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
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      vocab,
      merges,
    },
  };
}
