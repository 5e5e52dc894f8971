/** BERTScore against a transcription of bert-score over transformers (tools/reference/roberta.py). */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BertScoreOptions, bertScore, type TextPair } from 'brain3d';
import { defaultLayer } from '../../../dist/metrics/bertscore';
import { Tokenizer } from '../../../dist/tokenizer/tokenizer';
import cases from '../../golden/roberta/cases.json';
import { type Loose, ROOT } from '../../support/child';

const MODEL = join(ROOT, 'test/golden/models/roberta');
const LAYER = 2;
const PAIRS: TextPair[] = cases.pairs.map((pair) => ({
  hypothesis: textAt(pair.hypothesis),
  reference: textAt(pair.reference),
}));

function textAt(index: number): string {
  return (cases.texts[index] as { text: string }).text;
}

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'brain3d-'));
  cpSync(MODEL, dir, { recursive: true });
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function editJson(name: string, edit: (json: Loose) => void): void {
  const json = JSON.parse(readFileSync(join(dir, name), 'utf8'));
  edit(json);
  writeFileSync(join(dir, name), JSON.stringify(json));
}

const score = (options: Partial<BertScoreOptions> = {}, pairs = PAIRS) =>
  bertScore(pairs, { model: dir, layer: LAYER, device: 'cpu', ...options });

/** The directory as it was before there was a tokenizer.json. */
function toOldTokenizer(): void {
  const { vocab, merges } = JSON.parse(readFileSync(join(dir, 'tokenizer.json'), 'utf8')).model;
  writeFileSync(join(dir, 'vocab.json'), JSON.stringify(vocab));
  const lines = merges.map((pair: string[]) => pair.join(' '));
  writeFileSync(join(dir, 'merges.txt'), `#version: 0.2\n${lines.join('\n')}\n`);
  rmSync(join(dir, 'tokenizer.json'));
}

test.each([0, 1, 2, 3])('precision, recall and F of layer %i are those of bert-score to 1e-6', async (layer) => {
  const { scores, layer: used } = await score({ layer });
  expect(used).toBe(layer);
  expect(scores).toHaveLength(cases.pairs.length);
  for (const [index, { layers }] of cases.pairs.entries()) {
    const { precision, recall, f1 } = scores[index] as Loose;
    for (const [column, value] of [precision, recall, f1].entries())
      expect(Math.abs(value - (layers[layer]?.[column] as number))).toBeLessThan(1e-6);
  }
});

test.each(['tokenizer.json', 'vocab.json and merges.txt'])('ids of transformers from %s', async (from) => {
  if (from !== 'tokenizer.json') toOldTokenizer();
  const tokenizer = await Tokenizer.load(dir);
  // Texts that need neither stripping nor cutting: the tokenizer alone.
  const plain = cases.texts.filter(({ text, ids }) => /^\w/.test(text) && /[\w.)]$/.test(text) && ids.length < 512);
  expect(plain.length).toBeGreaterThan(8);
  for (const { text, ids } of plain) expect(await tokenizer.encode(` ${text}`, true)).toEqual(ids);
  await tokenizer.dispose();
});

test('vocab.json and merges.txt score as tokenizer.json', async () => {
  const expected = await score();
  toOldTokenizer();
  expect((await score()).scores).toEqual(expected.scores);
});

test('the size of batches changes nothing beyond 1e-6', async () => {
  const [one, many] = [await score({ batchSize: 1 }), await score({ batchSize: 64 })];
  for (const [index, { f1 }] of one.scores.entries())
    expect(Math.abs(f1 - (many.scores[index]?.f1 as number))).toBeLessThan(1e-6);
});

test('a text scores 1 against itself, an empty one 0; the mean is of all pairs; long texts are told', async () => {
  const long = 'lesion '.repeat(600);
  const pairs = [
    ['edema', 'edema'],
    ['', 'edema'],
    ['edema', ' \n'],
    [long, 'edema'],
  ].map(([hypothesis, reference]) => ({ hypothesis, reference }) as TextPair);
  const { scores, mean, warnings, device } = await score({}, pairs);
  expect(scores[0]?.f1).toBeCloseTo(1, 6);
  expect(scores[1]).toEqual({ precision: 0, recall: 0, f1: 0 });
  expect(scores[2]).toEqual({ precision: 0, recall: 0, f1: 0 });
  expect(mean.f1).toBeCloseTo(((scores[0]?.f1 as number) + (scores[3]?.f1 as number)) / 4, 12);
  expect(warnings).toEqual(["1 of 4 texts were cut to the model's 512 tokens"]);
  expect(device).toBe('cpu');
});

test('layers are those of bert-score, for models that it knows', () => {
  const of = (num_hidden_layers: number, hidden_size: number, ...architectures: string[]) =>
    defaultLayer({ num_hidden_layers, hidden_size, architectures });
  expect(of(12, 768, 'RobertaForMaskedLM')).toBe(10);
  expect(of(24, 1024, 'RobertaModel')).toBe(17);
  expect(of(6, 768)).toBe(5);
  expect(defaultLayer({})).toBe(10); // the library's defaults are those of roberta-base
  expect(() => of(12, 512)).toThrow('expected layer: bert-score has 5 for distilroberta-base, 10 for roberta-base');
  expect(() => of(24, 1024, 'RobertaForSequenceClassification')).toThrow(
    'this model has 24 layers of width 1024 and is a RobertaForSequenceClassification',
  );
});

test('an abort ends the work with its reason', async () => {
  const reason = new Error('enough');
  await expect(score({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  const controller = new AbortController();
  const words = Array.from({ length: 400 }, (_, index) => ({
    hypothesis: `lesion ${index} edema `.repeat(40),
    reference: `necrosis ${index} `.repeat(60),
  }));
  const work = score({ signal: controller.signal }, words);
  setTimeout(() => controller.abort(reason), 100);
  await expect(work).rejects.toBe(reason);
});

describe('refused', () => {
  test.each([
    ['no directory', () => rmSync(dir, { recursive: true }), 'BRAIN3D_NOT_FOUND', 'config.json'],
    ['no weights', () => rmSync(join(dir, 'model.safetensors')), 'BRAIN3D_NOT_FOUND', 'expected model.safetensors'],
    ['no tokenizer', () => rmSync(join(dir, 'tokenizer.json')), 'BRAIN3D_NOT_FOUND', 'or vocab.json and merges.txt'],
    [
      'merges that are none',
      () => {
        toOldTokenizer();
        writeFileSync(join(dir, 'merges.txt'), 'a b c\n');
      },
      'BRAIN3D_CONFIG',
      'expected two tokens in each line of merges.txt',
    ],
    [
      'a vocabulary without special tokens',
      () => {
        toOldTokenizer();
        writeFileSync(join(dir, 'vocab.json'), '{"a": 0}');
      },
      'BRAIN3D_CONFIG',
      'expected <s> in vocab.json',
    ],
    [
      'another class',
      () => editJson('config.json', (json) => Object.assign(json, { model_type: 'bert' })),
      'BRAIN3D_CONFIG',
      "expected roberta for 'model_type'",
    ],
    [
      'another size',
      () => editJson('config.json', (json) => Object.assign(json, { vocab_size: 400 })),
      'BRAIN3D_WEIGHTS',
      'expected [400, 24], got [384, 24]',
    ],
    [
      'other special tokens',
      () => editJson('config.json', (json) => Object.assign(json, { eos_token_id: 3 })),
      'BRAIN3D_CONFIG',
      'expected texts between ids 0 and 3',
    ],
    [
      'a larger tokenizer',
      () => editJson('tokenizer.json', (json) => Object.assign(json.model.vocab, { more: 384 })),
      'BRAIN3D_CONFIG',
      'it has 385 tokens, the model 384',
    ],
  ])('%s', async (_name, spoil, code, message) => {
    spoil();
    await expect(score()).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
  });

  test('a layer that must be given, and one that is not there', async () => {
    await expect(score({ layer: undefined })).rejects.toMatchObject({
      code: 'BRAIN3D_USAGE',
      message: expect.stringContaining('this model has 3 layers of width 24; say which'),
    });
    await expect(score({ layer: 4 })).rejects.toMatchObject({
      code: 'BRAIN3D_USAGE',
      message: 'expected a layer from 0 (embeddings) to 3, got 4',
    });
  });

  test('arguments of a wrong type', async () => {
    await expect(score({}, [])).rejects.toThrow('expected an array of at least one { hypothesis, reference }');
    await expect(score({}, [{ hypothesis: 'a' } as TextPair])).rejects.toThrow(TypeError);
    await expect(score({ layers: 3 } as Loose)).rejects.toThrow("unknown option 'layers'; did you mean 'layer'?");
    await expect(score({ batchSize: 0 })).rejects.toThrow(RangeError);
  });
});
