/** Reads the two files of a byte-level BPE in a directory without a tokenizer.json. */

export interface BpeModel {
  type: 'BPE';
  vocab: Record<string, number>;
  merges: string[][];
}

/**
 * Builds the `model` of a tokenizer.json from a vocab.json (token to id) and a merges.txt (`left right` a line, best first).
 * @throws {Error} for texts that are none
 */
export function bpeModel(vocabText: string, mergesText: string): BpeModel {
  const vocab: Record<string, number> = JSON.parse(vocabText);
  const lines = mergesText.split(/\r?\n/).filter((line) => line !== '' && !line.startsWith('#version'));
  const merges = lines.map((line) => line.split(' '));
  if (merges.some((pair) => pair.length !== 2)) throw new Error('expected two tokens in each line of merges.txt');
  const constants = {
    dropout: null,
    unk_token: null,
    continuing_subword_prefix: null,
    end_of_word_suffix: null,
    fuse_unk: false,
    byte_fallback: false,
  };
  return { type: 'BPE', ...constants, vocab, merges } as BpeModel;
}
