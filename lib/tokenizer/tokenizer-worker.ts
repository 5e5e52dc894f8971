/** The tokenizer's own thread: Gemma's 33 MB tokenizer.json would block the event loop for two seconds. */
import { parentPort, workerData } from 'node:worker_threads';
import { Tokenizer } from '@huggingface/tokenizers';
import type { TokenizerReply, TokenizerRequest, TokenizerSummary } from './tokenizer';
import { checkTokenizer } from './tokenizer-file';
import { readTokenizer } from './tokenizer-folder';

function load(dir: string): { tokenizer: Tokenizer; summary: TokenizerSummary } {
  const json = readTokenizer(dir) as Record<string, unknown>;
  checkTokenizer(json);
  // Everything brain3d needs is in tokenizer.json; the class asks for a config object all the same.
  const tokenizer = make(json);
  const sizeOf = (withAdded: boolean): number => {
    let largestId = 0;
    for (const id of tokenizer.get_vocab(withAdded).values()) largestId = Math.max(largestId, id);
    return largestId + 1;
  };
  const tokens = (json.added_tokens ?? []) as { content: string; id: number }[];
  const added = Object.fromEntries(tokens.map(({ content, id }) => [content, id]));
  return { tokenizer, summary: { vocabSize: sizeOf(false), sizeWithAdded: sizeOf(true), added } };
}

/** The field of a file that the library's error is about, by the class that it names. */
const FIELD_OF_CLASS: Record<string, string> = {
  Normalizer: 'normalizer',
  PreTokenizer: 'pre_tokenizer',
  PostProcessor: 'post_processor',
  Decoder: 'decoder',
};

function make(json: Record<string, unknown>): Tokenizer {
  try {
    return new Tokenizer(json, {});
  } catch (error) {
    const named = /^Unknown (\w+) type/.exec((error as Error).message)?.[1];
    const field = FIELD_OF_CLASS[named ?? ''];
    throw field === undefined ? error : Object.assign(error as Error, { field });
  }
}

function answer(tokenizer: Tokenizer, request: TokenizerRequest): number[] | string {
  if (request.kind === 'encode')
    return tokenizer.encode(request.text, { add_special_tokens: request.addSpecialTokens }).ids;
  return tokenizer.decode(request.ids, { skip_special_tokens: true, clean_up_tokenization_spaces: false });
}

const port = parentPort;
if (port === null) throw new Error('tokenizer-worker runs as a worker thread only');
const { tokenizer, summary } = load((workerData as { dir: string }).dir);
port.postMessage(summary);
port.on('message', (request: TokenizerRequest) => {
  let reply: TokenizerReply;
  try {
    reply = { id: request.id, value: answer(tokenizer, request) };
  } catch (error) {
    reply = { id: request.id, error: (error as Error).message };
  }
  port.postMessage(reply);
});
