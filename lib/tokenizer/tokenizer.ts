/** A model directory's tokenizer, in a thread of its own. Ids are those of transformers. */
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { Brain3DError } from '../base/errors';

export interface TokenizerSummary {
  /** The largest id of the vocabulary plus one, added tokens not counted. */
  vocabSize: number;
  /** The largest id plus one, added tokens counted. */
  sizeWithAdded: number;
  /** The ids of the added tokens, special ones and others. Each is matched as a whole. */
  added: Record<string, number>;
}

export type TokenizerRequest = { id: number } & (
  | { kind: 'encode'; text: string; addSpecialTokens: boolean }
  | { kind: 'decode'; ids: number[] }
);

export type TokenizerReply = { id: number; value: number[] | string } | { id: number; error: string };

type TokenizerCall = { kind: 'encode'; text: string; addSpecialTokens: boolean } | { kind: 'decode'; ids: number[] };

interface Pending {
  resolve: (value: number[] | string) => void;
  reject: (error: Error) => void;
  timer: NodeJS.Timeout;
}

/** The longest text that is encoded. A prompt of `maxPositions` tokens is far shorter. */
const MAX_TEXT_CHARACTERS = 100_000;
/**
 * The time limit of one answer. A text of that length takes far less, but a file's regular expressions may never end.
 */
const ANSWER_LIMIT_MS = 60_000;

export interface TokenizerOptions {
  /** Ends the loading, which takes a second for the file of a large vocabulary. */
  signal?: AbortSignal | undefined;
  /**
   * The time limit of each answer in ms. An answer that takes longer ends the thread and rejects with BRAIN3D_CONFIG.
   * @default 60_000
   */
  limitMs?: number;
}

export class Tokenizer {
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  #nextId = 0;
  readonly #limitMs: number;
  readonly summary: TokenizerSummary;
  /** The name of the file that it was read from. */
  readonly file: string;

  private constructor(worker: Worker, summary: TokenizerSummary, file: string, limitMs: number) {
    this.#worker = worker;
    this.#limitMs = limitMs;
    this.summary = summary;
    this.file = file;
    worker.on('message', (reply: TokenizerReply) => this.#settle(reply));
    worker.on('error', (error) => this.#fail(error));
    worker.on('exit', () => this.#fail(new Brain3DError('BRAIN3D_DISPOSED', 'the tokenizer was disposed')));
    worker.unref();
  }

  /**
   * Loads tokenizer.json, or the vocab.json and merges.txt of RoBERTa or Qwen 2.5.
   * @throws {Brain3DError} BRAIN3D_NOT_FOUND without them, BRAIN3D_CONFIG where they cannot be read
   */
  static async load(dir: string, { signal, limitMs = ANSWER_LIMIT_MS }: TokenizerOptions = {}): Promise<Tokenizer> {
    signal?.throwIfAborted();
    const has = (name: string): boolean => existsSync(join(dir, name));
    const isOld = !has('tokenizer.json') && has('vocab.json') && has('merges.txt');
    const file = isOld ? 'vocab.json' : 'tokenizer.json';
    if (!has(file)) {
      const expected = `expected ${file}, or vocab.json and merges.txt, in the model directory '${basename(dir)}'`;
      throw new Brain3DError('BRAIN3D_NOT_FOUND', expected, { file });
    }
    const worker = new Worker(join(__dirname, 'tokenizer-worker.js'), { workerData: { dir } });
    try {
      const [summary] = (await once(worker, 'message', { signal })) as [TokenizerSummary];
      return new Tokenizer(worker, summary, file, limitMs);
    } catch (cause) {
      await worker.terminate();
      signal?.throwIfAborted();
      throw new Brain3DError(
        'BRAIN3D_CONFIG',
        `${file} is not a tokenizer brain3d can read: ${(cause as Error).message}`,
        { file, cause, ...fieldOf(cause) },
      );
    }
  }

  /** @param addSpecialTokens adds `<bos>` in front, or the other tokens that the model expects around a text. */
  async encode(text: string, addSpecialTokens: boolean): Promise<number[]> {
    if (text.length > MAX_TEXT_CHARACTERS)
      throw new RangeError(`expected a text of at most ${MAX_TEXT_CHARACTERS} characters, got ${text.length}`);
    return (await this.#ask({ kind: 'encode', text, addSpecialTokens })) as number[];
  }

  /** Returns the text without special tokens. A character whose bytes are incomplete comes out as U+FFFD. */
  async decode(ids: number[]): Promise<string> {
    return (await this.#ask({ kind: 'decode', ids })) as string;
  }

  async dispose(): Promise<void> {
    await this.#worker.terminate();
  }

  #ask(request: TokenizerCall): Promise<number[] | string> {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      // The thread keeps this process alive only while an answer is awaited.
      if (this.#pending.size === 0) this.#worker.ref();
      const timer = setTimeout(() => this.#giveUp(), this.#limitMs).unref();
      this.#pending.set(id, { resolve, reject, timer });
      this.#worker.postMessage({ ...request, id });
    });
  }

  #settle(reply: TokenizerReply): void {
    const pending = this.#pending.get(reply.id);
    this.#pending.delete(reply.id);
    clearTimeout(pending?.timer);
    if (this.#pending.size === 0) this.#worker.unref();
    if ('error' in reply) pending?.reject(new Brain3DError('BRAIN3D_INTERNAL', `tokenizer: ${reply.error}`));
    else pending?.resolve(reply.value);
  }

  #giveUp(): void {
    this.#fail(
      new Brain3DError(
        'BRAIN3D_CONFIG',
        `${this.file}: expected an answer within ${this.#limitMs / 1000} s, got none; its regular expressions may not end`,
        { file: this.file, field: 'pre_tokenizer' },
      ),
    );
    void this.#worker.terminate();
  }

  #fail(error: Error): void {
    for (const pending of this.#pending.values()) {
      clearTimeout(pending.timer);
      pending.reject(error);
    }
    this.#pending.clear();
  }
}

/** Reads the field at fault from a thread's error, which arrives as a copy. */
function fieldOf(cause: unknown): { field?: string } {
  const { field } = cause as { field?: unknown };
  return typeof field === 'string' ? { field } : {};
}

/** Turns growing lists of ids into text pieces that never split a character. */
export class TextStream {
  readonly #tokenizer: Tokenizer;
  readonly #ids: number[] = [];
  #shown = '';

  constructor(tokenizer: Tokenizer) {
    this.#tokenizer = tokenizer;
  }

  /** Returns the text that `id` completes; empty while a character's bytes are incomplete. */
  async push(id: number): Promise<string> {
    this.#ids.push(id);
    const text = await this.#tokenizer.decode(this.#ids);
    return text.endsWith('\uFFFD') ? '' : this.#advance(text);
  }

  /** Returns the text that is left at the end, an incomplete character included. */
  async finish(): Promise<string> {
    return this.#advance(await this.#tokenizer.decode(this.#ids));
  }

  #advance(text: string): string {
    const piece = text.slice(this.#shown.length);
    this.#shown = text;
    return piece;
  }
}

/**
 * Added tokens may have rows of their own or none: Gemma's image tokens come after a text model's embedding. Fewer than
 * `unusedRows` rows may be without a token.
 * @throws {Brain3DError} BRAIN3D_CONFIG if a tokenizer is not the one of a model with that many embeddings
 */
export function requireVocabulary(tokenizer: Tokenizer, rows: number, unusedRows: number): void {
  const { vocabSize, sizeWithAdded } = tokenizer.summary;
  if (vocabSize <= rows && rows - Math.max(vocabSize, sizeWithAdded) < unusedRows) return;
  throw new Brain3DError(
    'BRAIN3D_CONFIG',
    `${tokenizer.file} has ${vocabSize} tokens, but the language model's embedding has ${rows} rows; they do not belong ` +
      'together',
    { file: tokenizer.file, field: 'vocab_size' },
  );
}
