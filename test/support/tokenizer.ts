/** Makes a tokenizer for the golden language models, which have none of their own. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Loose } from './child';
import { ROOT } from './cli';

/** The number of rows of the golden embeddings. */
const GOLDEN_VOCABULARY = 160;

/** Writes the first `size` tokens of the tiny model's tokenizer to `DIR/tokenizer.json`. */
export function writeGoldenTokenizer(dir: string, size = GOLDEN_VOCABULARY): void {
  const json: Loose = JSON.parse(readFileSync(join(ROOT, 'models/tiny/language/tokenizer.json'), 'utf8'));
  const vocab: [string, number][] = (Object.entries(json.model.vocab) as [string, number][]).filter(
    ([, id]) => id < size,
  );
  const known = new Set(vocab.map(([token]) => token));
  const isKnown = (merge: string | string[]): boolean => {
    const [left, right] = typeof merge === 'string' ? merge.split(' ') : merge;
    return [left, right, `${left}${right}`].every((token) => known.has(token as string));
  };
  json.model.vocab = Object.fromEntries(vocab);
  json.model.merges = json.model.merges.filter(isKnown);
  json.added_tokens = json.added_tokens.filter(({ id }: { id: number }) => id < size);
  writeFileSync(join(dir, 'tokenizer.json'), JSON.stringify(json));
}
