/** Qwen 2.5's tokenizer, from tokenizer.json and from the slow class's files, against transformers' ids (tools/reference/qwen.py). */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { listModelFiles } from '../../../dist/checkpoint/backbone';
import { eosTokenId, padTokenId, readLanguageFamily, requireBegin } from '../../../dist/checkpoint/families';
import { requireVocabulary, Tokenizer } from '../../../dist/tokenizer/tokenizer';
import cases from '../../golden/qwen/tokenizer_cases.json';
import { ROOT } from '../../support/child';

const MODELS = join(ROOT, 'test/golden/models');
const SLOW = ['vocab.json', 'merges.txt', 'tokenizer_config.json', 'added_tokens.json'];

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'brain3d-qwen-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

/** A folder with the slow class's files alone, and the model's configuration. */
function slowFolder(without: readonly string[] = []): void {
  for (const name of [...SLOW, 'config.json'])
    if (!without.includes(name)) cpSync(join(MODELS, 'qwen', name), join(dir, name));
}

async function checkCases(folder: string): Promise<void> {
  const tokenizer = await Tokenizer.load(folder);
  try {
    expect(tokenizer.summary).toEqual({
      vocabSize: cases.vocab_size,
      sizeWithAdded: cases.size_with_added,
      added: cases.added,
    });
    for (const { text, ids, decoded } of cases.cases) {
      expect(await tokenizer.encode(text, false)).toEqual(ids);
      // Nothing is put around a text.
      expect(await tokenizer.encode(text, true)).toEqual(ids);
      if (ids.length > 0) expect(await tokenizer.decode(ids)).toBe(decoded);
    }
  } finally {
    await tokenizer.dispose();
  }
}

test('tokenizer.json gives the ids of transformers', () => checkCases(join(MODELS, 'qwen_tied')));

test('vocab.json, merges.txt and the added tokens of tokenizer_config.json give the ids of transformers', () =>
  checkCases(join(MODELS, 'qwen')));

test('added_tokens.json stands in where tokenizer_config.json does not list them', async () => {
  slowFolder(['tokenizer_config.json']);
  const map = { eos_token: { content: '<|im_end|>' }, pad_token: '<|endoftext|>' };
  writeFileSync(
    join(dir, 'special_tokens_map.json'),
    JSON.stringify({ ...map, additional_special_tokens: ['<|im_start|>'] }),
  );
  await checkCases(dir);
});

test('the tokens that a report ends and is filled up with are the family’s', async () => {
  const family = await readLanguageFamily(join(MODELS, 'qwen'));
  expect(family.title).toBe('Qwen 2.5');
  slowFolder();
  const tokenizer = await Tokenizer.load(dir);
  expect(eosTokenId(family, tokenizer)).toBe(cases.added['<|endoftext|>']);
  expect(padTokenId(family, tokenizer)).toBe(cases.added['<|endoftext|>']);
  await expect(requireBegin(family, tokenizer)).resolves.toBeUndefined();
  const gemma = await readLanguageFamily(join(MODELS, 'gemma_text'));
  await expect(requireBegin(gemma, tokenizer)).rejects.toMatchObject({
    code: 'BRAIN3D_CONFIG',
    field: 'post_processor',
    message: expect.stringContaining('to begin with <bos>'),
  });
  // Published tables have some hundred rows more than there are tokens; a thousand are another model's.
  expect(() => requireVocabulary(tokenizer, cases.size_with_added + 271, family.unusedRows)).not.toThrow();
  expect(() => requireVocabulary(tokenizer, cases.size_with_added + 1000, family.unusedRows)).toThrow('vocab.json has');
  await tokenizer.dispose();
  slowFolder();
  writeFileSync(join(dir, 'tokenizer_config.json'), '{"tokenizer_class": "Qwen2Tokenizer"}');
  writeFileSync(join(dir, 'added_tokens.json'), '{}');
  const without = await Tokenizer.load(dir);
  expect(() => eosTokenId(family, without)).toThrow("vocab.json has no '<|endoftext|>' token");
  await without.dispose();
});

test('a language model of no family is refused by its type', async () => {
  writeFileSync(join(dir, 'config.json'), '{"model_type": "llama"}');
  await expect(readLanguageFamily(dir)).rejects.toMatchObject({
    code: 'BRAIN3D_CONFIG',
    field: 'model_type',
    message: expect.stringContaining('expected gemma3, gemma3_text or qwen2 (a language backbone)'),
  });
});

test('files that decide about ids belong to a backbone, those of the slow class only where there is no tokenizer.json', async () => {
  slowFolder();
  expect(await listModelFiles(dir)).toEqual([...SLOW, 'config.json'].sort());
  cpSync(join(MODELS, 'qwen_tied/tokenizer.json'), join(dir, 'tokenizer.json'));
  expect(await listModelFiles(dir)).toEqual(['config.json', 'tokenizer.json']);
});

test('a damaged merges.txt or vocab.json is named', async () => {
  slowFolder();
  writeFileSync(join(dir, 'merges.txt'), `${readFileSync(join(dir, 'merges.txt'), 'utf8')}a b c\n`);
  await expect(Tokenizer.load(dir)).rejects.toMatchObject({
    code: 'BRAIN3D_CONFIG',
    message: expect.stringContaining('merges.txt'),
  });
  slowFolder();
  writeFileSync(join(dir, 'vocab.json'), '[1, 2]');
  await expect(Tokenizer.load(dir)).rejects.toMatchObject({ code: 'BRAIN3D_CONFIG', file: 'vocab.json' });
});
