/**
 * Hostile tokenizers by number: T01 to T16 of docs/hostile-files.md.
 *
 * Each row spoils one thing of the demo model and says which message and which field the refusal must name. A refusal
 * stays within the bounds of test/support/bounds.ts. After each row the sound model loads in the same process.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inspectVolume } from 'brain3d';
import { Tokenizer } from '../../dist/tokenizer/tokenizer';
import { refusalOf } from '../support/bounds';
import { type Loose, MODEL, SAMPLE } from '../support/child';
import {
  assign,
  copyModelBeforeEach,
  expectField,
  type Field,
  path,
  read,
  type Spoil,
  write,
} from '../support/spoiled-model';

beforeAll(async () => void (await inspectVolume(SAMPLE))); // loads the addon, which none of the rows should pay for
copyModelBeforeEach();

type Row = [id: string, what: string, spoil: Spoil, field: Field, message: string];

describe('tokenizer', () => {
  afterEach(async () => {
    const tokenizer = await Tokenizer.load(join(MODEL, '../language'));
    expect(await tokenizer.decode(await tokenizer.encode('the left lobe', false))).toContain('left');
    await tokenizer.dispose();
  });
  const vocab = (edit: (vocab: Loose) => void) => (json: Loose) => void edit(json.model.vocab);
  const rows: Row[] = [
    ['T01', 'JSON cut off', (json) => JSON.stringify(json).slice(0, 5000), undefined, 'JSON'],
    ['T02', 'another kind of model', assign('model.type', 'Unigram'), 'model.type', 'expected BPE, got "Unigram"'],
    [
      'T03',
      'a negative id',
      vocab((v) => Object.assign(v, { the: -1 })),
      'model.vocab',
      'an id from 0 to 2147483647 for "the", got -1',
    ],
    ['T03', 'an id beyond 2^31', vocab((v) => Object.assign(v, { the: 2 ** 31 })), 'model.vocab', 'got 2147483648'],
    [
      'T03',
      'an id twice',
      vocab((v) => Object.assign(v, { unseen: 5 })),
      'model.vocab',
      'expected each id once, got 5',
    ],
    ['T03', 'a hole', vocab((v) => Object.assign(v, { unseen: 5000 })), 'model.vocab', 'without holes, got 5000'],
    [
      'T04',
      'a merge of unknown tokens',
      (json) => void json.model.merges.push(['q', '\u0398']),
      /^model\.merges\[\d+\]$/,
      'of the vocabulary',
    ],
    [
      'T04',
      'a merge of three',
      (json) => void json.model.merges.push(['a', 'b', 'c']),
      /^model\.merges\[\d+\]$/,
      'expected two tokens',
    ],
    [
      'T05',
      'a million merges and one',
      (json) => `${JSON.stringify(json).replace('"merges":[', `"merges":[${'1,'.repeat(1_000_000)}`)}`,
      'model.merges',
      'expected at most 1000000',
    ],
    [
      'T06',
      'an added token with the id of another',
      assign('added_tokens.1.id', 7),
      'added_tokens[1]',
      'an id of its own',
    ],
    [
      'T08',
      'an added token without text',
      assign('added_tokens.1.content', ''),
      'added_tokens[1].content',
      'not empty',
    ],
    ['T09', 'the byte <0x-1>', vocab((v) => renamed(v, '<0x00>', '<0x-1>')), 'model.vocab', 'got "<0x-1>"'],
    ['T09', 'the byte <0xZZ>', vocab((v) => renamed(v, '<0x00>', '<0xZZ>')), 'model.vocab', 'got "<0xZZ>"'],
    ['T09', 'the byte <0x100>', vocab((v) => renamed(v, '<0x00>', '<0x100>')), 'model.vocab', 'got "<0x100>"'],
    ['T10', 'an unknown normalizer', assign('normalizer', { type: 'Nothing' }), 'normalizer', 'Nothing'],
    ['T10', 'an unknown pre-tokenizer', assign('pre_tokenizer', { type: 'Nothing' }), 'pre_tokenizer', 'Nothing'],
    ['T15', 'half a character', vocab((v) => Object.assign(v, { '\ud800': 1921 })), 'model.vocab', 'half a character'],
  ];
  const renamed = (vocab: Loose, from: string, to: string): void => {
    vocab[to] = vocab[from];
    delete vocab[from];
  };

  test.each(rows)('%s: %s', async (_id, _what, spoil, field, message) => {
    const json = read('language/tokenizer.json');
    write('language/tokenizer.json', spoil(json) ?? json);
    const error = await refusalOf(() => Tokenizer.load(path('language')));
    expectField(error, field);
    expect(error).toMatchObject({
      code: 'BRAIN3D_CONFIG',
      file: 'tokenizer.json',
      message: expect.stringContaining(message),
    });
  });

  test('T07: without the token that ends a report no checkpoint is made', async () => {
    const { initCheckpoint } = await import('brain3d');
    const json = read('language/tokenizer.json');
    renamed(json.model.vocab, '<eos>', '<end>');
    json.added_tokens[1].content = '<end>';
    write('language/tokenizer.json', json);
    const options = { vision: path('vision'), language: path('language'), out: path('made') };
    await expect(initCheckpoint(options)).rejects.toMatchObject({ code: 'BRAIN3D_CONFIG', field: '<eos>' });
  });

  test('T11: a regular expression that never ends is given up', async () => {
    const json = read('language/tokenizer.json');
    json.pre_tokenizer = { type: 'Split', pattern: { Regex: '(a+)+$' }, behavior: 'Isolated', invert: false };
    json.normalizer = null;
    write('language/tokenizer.json', json);
    const tokenizer = await Tokenizer.load(path('language'), { limitMs: 500 });
    await expect(tokenizer.encode(`${'a'.repeat(60)}!`, false)).rejects.toMatchObject({
      code: 'BRAIN3D_CONFIG',
      field: 'pre_tokenizer',
      message: expect.stringContaining('expected an answer within 0.5 s'),
    });
    await tokenizer.dispose();
  });

  test('T12: more than 128 MiB', async () => {
    writeFileSync(path('language/tokenizer.json'), Buffer.alloc(0));
    const { truncateSync } = await import('node:fs');
    truncateSync(path('language/tokenizer.json'), 128 * 2 ** 20 + 1);
    const error = await refusalOf(() => Tokenizer.load(path('language')));
    expect(error.field).toBeUndefined();
    expect(error).toMatchObject({
      code: 'BRAIN3D_CONFIG',
      file: 'tokenizer.json',
      message: expect.stringContaining('at most 134217728 bytes'),
    });
  });

  // T13, a vocabulary and an embedding that disagree: bad-model.test.ts.

  test('T14: tokens called as what every object has are tokens', async () => {
    const json = read('language/tokenizer.json');
    const text = JSON.stringify(json).replace('"vocab":{', '"vocab":{"__proto__":1921,"constructor":1922,');
    write('language/tokenizer.json', text);
    const tokenizer = await Tokenizer.load(path('language'));
    expect(tokenizer.summary.vocabSize).toBe(1923);
    expect(({} as Loose)['1921']).toBeUndefined();
    await tokenizer.dispose();
  });

  test('T16: a text of more than 100,000 characters is refused', async () => {
    const tokenizer = await Tokenizer.load(path('language'));
    const error = await refusalOf(() => tokenizer.encode('a'.repeat(100_001), false));
    expect(error.message).toContain('at most 100000 characters, got 100001');
    await tokenizer.dispose();
  });
});
