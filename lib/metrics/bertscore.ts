/** Computes BERTScore with a RoBERTa from a Hugging Face directory, without idf and without rescaling.   [BERTSCORE] */
import { join } from 'node:path';
import * as v from 'valibot';
import { Brain3DError, withCallerStack } from '../base/errors';
import { is, parseOptions } from '../base/validate';
import { readJsonFile } from '../checkpoint/backbone';
import { loadAddon } from '../native/binding';
import { callNative } from '../native/call';
import { chooseDevice, deviceEntry } from '../native/device';
import type { NativeTextEncoder, NativeTextEncoderInfo } from '../native/surface';
import { Tokenizer } from '../tokenizer/tokenizer';

/** A hypothesis and the reference it is compared with. */
export interface TextPair {
  hypothesis: string;
  reference: string;
}

/** Scores are cosines: at most 1, and 0 for a text without a word. `f1` is what is meant by "BERTScore". */
export interface BertScore {
  precision: number;
  recall: number;
  f1: number;
}

export interface BertScores {
  /** The scores in the order of the pairs. */
  scores: BertScore[];
  mean: BertScore;
  /** The hidden state that was compared; 0 is the embeddings. */
  layer: number;
  device: string;
  warnings: string[];
}

const BertScoreSchema = v.object({
  /** The directory of the RoBERTa: config.json, weights, and tokenizer.json or vocab.json with merges.txt. */
  model: is.text(),
  /** The hidden state to compare. @default bert-score's choice, where the configuration is that of a model it knows */
  layer: v.optional(is.integer(0, 1024)),
  /** The number of texts encoded together. @default 16 */
  batchSize: v.optional(is.integer(1, 4096)),
  ...deviceEntry,
  /** The LibTorch directory; overrides LIBTORCH. */
  libtorch: v.optional(is.text()),
  signal: v.optional(is.signal()),
});
export type BertScoreOptions = v.InferInput<typeof BertScoreSchema>;

const PairsSchema = v.pipe(
  v.array(v.object({ hypothesis: v.string(), reference: v.string() })),
  v.minLength(1, 'no pair'),
);

/**
 * Scores each hypothesis against its reference. Each text that occurs more than once is encoded once.
 * @throws {Brain3DError} BRAIN3D_NOT_FOUND without the model or its tokenizer, BRAIN3D_USAGE where `layer` must be given
 *   or is beyond the model's, BRAIN3D_CONFIG, BRAIN3D_WEIGHTS, BRAIN3D_FORMAT, BRAIN3D_DEVICE, BRAIN3D_OUT_OF_MEMORY
 */
export async function bertScore(pairs: TextPair[], options: BertScoreOptions): Promise<BertScores> {
  const parsed = parseOptions('bertScore', BertScoreSchema, options);
  const checked = v.safeParse(PairsSchema, pairs);
  if (!checked.success)
    throw new TypeError('bertScore: expected an array of at least one { hypothesis, reference }, both texts');
  return withCallerStack(bertScore, () => scorePairs(checked.output, parsed));
}

async function scorePairs(
  pairs: TextPair[],
  { model: dir, layer, batchSize = 16, device: wanted = 'auto', libtorch, signal }: BertScoreOptions,
): Promise<BertScores> {
  const config = await readJsonFile(join(dir, 'config.json')); // first, for its error where there is no such directory
  const chosen = layer ?? defaultLayer(config);
  const addon = loadAddon({ libtorch });
  const { device, warning } = chooseDevice(addon, wanted);
  const tokenizer = await Tokenizer.load(dir, { signal });
  let encoder: NativeTextEncoder | undefined;
  try {
    encoder = await callNative(addon, signal, (token) => addon.loadTextEncoder({ dir, layer: chosen, device }, token));
    const loaded = encoder;
    const texts = new TextTable(tokenizer, loaded.info());
    const call = { hypotheses: [] as number[], references: [] as number[], batchSize };
    for (const { hypothesis, reference } of pairs) {
      signal?.throwIfAborted();
      call.hypotheses.push(await texts.indexOf(hypothesis));
      call.references.push(await texts.indexOf(reference));
    }
    const scores = await callNative(addon, signal, (token) => loaded.score(texts.ids, call, token));
    const warnings = [...(warning === null ? [] : [warning]), ...texts.warnings()];
    return { scores, mean: meanOf(scores), layer: chosen, device, warnings };
  } finally {
    encoder?.dispose();
    await tokenizer.dispose();
  }
}

/** The part of bert-score's `model2layers` about language models whose configurations tell them apart. */
const KNOWN_MODELS = [
  { name: 'distilroberta-base', numLayers: 6, width: 768, layer: 5 },
  { name: 'roberta-base', numLayers: 12, width: 768, layer: 10 },
  { name: 'roberta-large', numLayers: 24, width: 1024, layer: 17 },
];
/**
 * The architectures of language models. A classifier was trained further, and bert-score uses another layer for each,
 * so its sizes say nothing.
 */
const LANGUAGE_MODELS = ['RobertaModel', 'RobertaForMaskedLM'];

const ConfigSchema = v.object({
  num_hidden_layers: v.optional(v.number(), 12),
  hidden_size: v.optional(v.number(), 768),
  architectures: v.optional(v.nullable(v.array(v.string()), []), []),
});

/** @throws {Brain3DError} BRAIN3D_USAGE for a model that bert-score's table does not have */
export function defaultLayer(config: unknown): number {
  const result = v.safeParse(ConfigSchema, config);
  if (!result.success)
    throw new Brain3DError(
      'BRAIN3D_CONFIG',
      "config.json: expected numbers for 'num_hidden_layers' and 'hidden_size'",
      {
        file: 'config.json',
      },
    );
  const { num_hidden_layers: numLayers, hidden_size: width, architectures } = result.output;
  const isLanguageModel = (architectures ?? []).every((name) => LANGUAGE_MODELS.includes(name));
  const known = KNOWN_MODELS.find((model) => model.numLayers === numLayers && model.width === width);
  if (known !== undefined && isLanguageModel) return known.layer;
  const table = KNOWN_MODELS.map(({ name, layer }) => `${layer} for ${name}`).join(', ');
  throw new Brain3DError(
    'BRAIN3D_USAGE',
    `expected layer: bert-score has ${table}, but this model has ${numLayers} layers of width ${width}` +
      `${isLanguageModel ? '' : ` and is a ${architectures?.join(', ')}`}; say which of its layers to compare`,
    { file: 'config.json', field: 'num_hidden_layers' },
  );
}

/** Holds each text once, as token ids. */
class TextTable {
  readonly ids: number[][] = [];
  readonly #indices = new Map<string, number>();
  readonly #tokenizer: Tokenizer;
  readonly #info: NativeTextEncoderInfo;
  #numCut = 0;

  constructor(tokenizer: Tokenizer, info: NativeTextEncoderInfo) {
    if (tokenizer.summary.vocabSize > info.vocabSize)
      throw wrongTokenizer(`it has ${tokenizer.summary.vocabSize} tokens, the model ${info.vocabSize}`);
    this.#tokenizer = tokenizer;
    this.#info = info;
  }

  async indexOf(text: string): Promise<number> {
    const known = this.#indices.get(text);
    if (known !== undefined) return known;
    const index = this.ids.push(await this.#encode(text)) - 1;
    this.#indices.set(text, index);
    return index;
  }

  warnings(): string[] {
    if (this.#numCut === 0) return [];
    return [`${this.#numCut} of ${this.ids.length} texts were cut to the model's ${this.#info.maxTokens} tokens`];
  }

  async #encode(text: string): Promise<number[]> {
    const { bosTokenId, eosTokenId, maxTokens } = this.#info;
    const ids = await this.#tokenizer.encode(withPrefixSpace(text), true);
    if (ids[0] !== bosTokenId || ids.length < 2 || ids.at(-1) !== eosTokenId)
      throw wrongTokenizer(`expected texts between ids ${bosTokenId} and ${eosTokenId}, as config.json says`);
    if (ids.length <= maxTokens) return ids;
    this.#numCut++;
    return [...ids.slice(0, maxTokens - 1), eosTokenId];
  }
}

/** The white space that Python's `str.strip` removes; `trim` removes other characters. */
const SPACE = '[\\t-\\r\\x1c- \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]+';
const OUTER_SPACE = new RegExp(`^${SPACE}|${SPACE}$`, 'g');

/**
 * Adds the space that bert-score puts in front of texts for a RoBERTa, so that the first word has the token it has
 * inside a sentence.
 */
function withPrefixSpace(text: string): string {
  const stripped = text.replace(OUTER_SPACE, '');
  return stripped === '' ? '' : ` ${stripped}`;
}

function wrongTokenizer(reason: string): Brain3DError {
  return new Brain3DError('BRAIN3D_CONFIG', `the tokenizer does not belong to the model: ${reason}`, {
    file: 'tokenizer.json',
  });
}

function meanOf(scores: BertScore[]): BertScore {
  const mean = (key: keyof BertScore) => scores.reduce((sum, score) => sum + score[key], 0) / scores.length;
  return { precision: mean('precision'), recall: mean('recall'), f1: mean('f1') };
}
