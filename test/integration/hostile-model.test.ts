/**
 * Hostile tokenizers, configurations and adapters by number: T01 to T16, C01 to C12 and L01 to L14 of
 * docs/hostile-files.md. Each row spoils one thing of the demo model and says what must be said, and of which field (of
 * none, where the file as a whole is none); what is refused is so within the bounds of test/support/bounds.ts. After each
 * row the sound model loads in the same process.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Brain3D, inspect, inspectVolume } from 'brain3d';
import { Tokenizer } from '../../dist/tokenizer/tokenizer';
import { type Refusal, refusalOf } from '../support/bounds';
import { type Loose, MODEL, SAMPLE } from '../support/child';

let dir: string;
beforeAll(async () => void (await inspectVolume(SAMPLE))); // loads the addon, which none of the rows should pay for
/** A copy of the demo model in the same arrangement: DIR/vision, DIR/language, DIR/checkpoint. */
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'brain3d-'));
  cpSync(join(MODEL, '..'), dir, { recursive: true });
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const path = (name: string): string => join(dir, name);
const read = (name: string): Loose => JSON.parse(readFileSync(path(name), 'utf8'));
const write = (name: string, json: Loose): void =>
  writeFileSync(path(name), typeof json === 'string' ? json : JSON.stringify(json));

/** Sets the field at a path such as `added_tokens.1.id`. */
const assign = (at: string, value: Loose) => (json: Loose) => {
  const keys = at.split('.');
  const last = keys.pop() as string;
  Object.assign(
    keys.reduce((object, key) => object[key], json),
    { [last]: value },
  );
};

/** Undefined where the file as a whole is at fault. */
type Field = string | RegExp | undefined;
type Spoil = (json: Loose) => Loose;
type Row = [id: string, what: string, spoil: Spoil, field: Field, message: string];

function expectField(error: Refusal, field: Field): void {
  if (field instanceof RegExp) expect(error.field).toMatch(field);
  else expect(error.field).toBe(field);
}

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

describe('configuration', () => {
  afterEach(() => expect(inspect(join(MODEL, '../language'))).resolves.toMatchObject({ kind: 'backbone' }));
  const set = assign;
  const raw = (field: string, value: string) => (json: Loose) =>
    JSON.stringify({ ...json, [field]: 0 }).replace(`"${field}":0`, `"${field}":${value}`);
  type ConfigRow = [id: string, what: string, spoil: Spoil, code: string, field: Field, message: string];
  const rows: ConfigRow[] = [
    ['C01', 'no width', set('hidden_size', 0), 'BRAIN3D_CONFIG', 'hidden_size', "'hidden_size', got 0"],
    ['C02', 'a negative width', set('hidden_size', -1), 'BRAIN3D_CONFIG', 'hidden_size', "'hidden_size', got -1"],
    ['C03', 'a width of 2^40', set('hidden_size', 2 ** 40), 'BRAIN3D_CONFIG', 'hidden_size', 'from 1 to 16777216'],
    ['C04', 'a width of text', set('hidden_size', '2560'), 'BRAIN3D_CONFIG', 'hidden_size', 'got "2560"'],
    ['C04', 'half a row', set('hidden_size', 2560.5), 'BRAIN3D_CONFIG', 'hidden_size', 'got 2560.5'],
    ['C04', 'NaN', raw('hidden_size', 'NaN'), 'BRAIN3D_FORMAT', undefined, 'error at byte'],
    [
      'C05',
      'heads that do not divide',
      set('num_key_value_heads', 3),
      'BRAIN3D_CONFIG',
      'num_key_value_heads',
      'a divisor of',
    ],
    ['C06', 'a billion layers', set('num_hidden_layers', 1e9), 'BRAIN3D_CONFIG', 'num_hidden_layers', 'from 1 to 1024'],
    [
      'C07',
      'an unknown rotary embedding',
      assign('rope_parameters.full_attention.rope_type', 'yarn'),
      'BRAIN3D_CONFIG',
      'rope_type',
      'default or linear',
    ],
    [
      'C08',
      'quantised weights',
      set('quantization_config', { load_in_4bit: true }),
      'BRAIN3D_UNSUPPORTED',
      'quantization_config',
      'quantiz',
    ],
    [
      'C09',
      'a field twice',
      (json) => JSON.stringify(json).replace('{', '{"hidden_size":192,'),
      'BRAIN3D_FORMAT',
      'hidden_size',
      'appears twice',
    ],
    [
      'C10',
      '40 levels',
      raw('note', '['.repeat(40) + ']'.repeat(40)),
      'BRAIN3D_FORMAT',
      undefined,
      'at most 32 nested',
    ],
    ['C10', '100,000 levels', raw('note', '['.repeat(100_000)), 'BRAIN3D_FORMAT', undefined, 'at most 32 nested'],
    ['C11', 'more than 1 MiB', set('note', 'x'.repeat(2 ** 20)), 'BRAIN3D_FORMAT', undefined, 'at most 1048576 bytes'],
  ];

  test.each(rows)('%s: %s', async (_id, _what, spoil, code, field, message) => {
    const json = read('language/config.json');
    write('language/config.json', spoil(json) ?? json);
    const error = await refusalOf(() => inspect(path('language')));
    expect(error).toMatchObject({ code, file: 'config.json', message: expect.stringContaining(message) });
    expectField(error, field);
  });

  test('C12: code, prototypes and a name of a type are not looked at', async () => {
    const json = read('language/config.json');
    const text = JSON.stringify({ ...json, auto_map: { AutoModel: 'evil.Model' }, torch_dtype: 'float13' });
    write('language/config.json', text.replace('{', '{"__proto__":{"polluted":true},'));
    await expect(inspect(path('language'))).resolves.toMatchObject({ kind: 'backbone' });
    expect(({} as Loose).polluted).toBeUndefined();
  });
});

describe('adapter', () => {
  afterEach(async () => {
    const model = await Brain3D.load({ model: MODEL });
    await model.dispose();
  });
  const CONFIG = 'checkpoint/adapter/adapter_config.json';
  const WEIGHTS = 'checkpoint/adapter/adapter_model.safetensors';
  const load = (): Promise<Brain3D> => Brain3D.load({ model: path('checkpoint') });
  const set = (field: string, value: Loose) => (): void => write(CONFIG, { ...read(CONFIG), [field]: value });

  /** Rewrites the weights: the header changed, then the data. */
  const editTensors = (edit: (header: Loose, data: Buffer) => void) => (): void => {
    const bytes = readFileSync(path(WEIGHTS));
    const length = Number(bytes.readBigUInt64LE(0));
    const [header, data] = [JSON.parse(bytes.subarray(8, 8 + length).toString()), bytes.subarray(8 + length)];
    edit(header, data);
    const text = Buffer.from(JSON.stringify(header));
    const size = Buffer.alloc(8);
    size.writeBigUInt64LE(BigInt(text.length));
    writeFileSync(path(WEIGHTS), Buffer.concat([size, text, data]));
  };
  const firstTensor = (header: Loose, ending: string): string =>
    Object.keys(header).find((name) => name.endsWith(ending)) as string;
  const renameFirst = (ending: string, to: (name: string) => string) =>
    editTensors((header) => {
      const name = firstTensor(header, ending);
      header[to(name)] = header[name];
      delete header[name];
    });

  type AdapterRow = [id: string, what: string, spoil: () => void, code: string, field: Field, message: string];
  const rows: AdapterRow[] = [
    ['L01', 'rank 0', set('r', 0), 'BRAIN3D_CONFIG', 'r', "'r', got 0"],
    ['L02', 'a negative rank', set('r', -8), 'BRAIN3D_CONFIG', 'r', "'r', got -8"],
    ['L03', 'another rank', set('r', 3), 'BRAIN3D_WEIGHTS', /lora_A/, 'configured rank 3'],
    [
      'L04',
      'a scale that is no number',
      () => write(CONFIG, JSON.stringify(read(CONFIG)).replace(/"lora_alpha":\d+/, '"lora_alpha":NaN')),
      'BRAIN3D_FORMAT',
      undefined,
      'error at byte',
    ],
    ['L05', 'a scale of 0', set('lora_alpha', 0), 'BRAIN3D_CONFIG', 'lora_alpha', "'lora_alpha', got 0"],
    [
      'L07',
      'nothing for the language model',
      editTensors((header) => {
        for (const name of Object.keys(header)) {
          if (name === '__metadata__') continue;
          header[name.replace('base_model.model.', 'base_model.model.vision_tower.vision_model.')] = header[name];
          delete header[name];
        }
      }),
      'BRAIN3D_WEIGHTS',
      /^text\.layers\.0\./,
      'missing',
    ],
    [
      'L09',
      'half a pair',
      renameFirst('lora_B.weight', (name) => name.replace('lora_B', 'lora_C')),
      'BRAIN3D_WEIGHTS',
      /lora_C/,
      'is no lora_A or lora_B weight',
    ],
    [
      'L10',
      'of another model',
      editTensors((header) => {
        for (const name of Object.keys(header).filter((name) => name.includes('.layers.0.'))) {
          header[name.replace('.layers.0.', '.layers.77.')] = header[name];
          delete header[name];
        }
      }),
      'BRAIN3D_WEIGHTS',
      /layers.77/,
      'the adapter is for another model',
    ],
    [
      'L11',
      "PEFT's name in memory",
      renameFirst('lora_A.weight', (name) => name.replace('lora_A', 'lora_A.default')),
      'BRAIN3D_WEIGHTS',
      /lora_A.default/,
      'is no lora_A or lora_B weight',
    ],
    ['L12', 'DoRA', set('use_dora', true), 'BRAIN3D_UNSUPPORTED', 'use_dora', "'use_dora'"],
    [
      'L12',
      'copied layers',
      set('layer_replication', [[0, 2]]),
      'BRAIN3D_UNSUPPORTED',
      'layer_replication',
      "'layer_replication'",
    ],
    [
      'L12',
      'whole modules',
      set('modules_to_save', ['lm_head']),
      'BRAIN3D_UNSUPPORTED',
      'modules_to_save',
      "'modules_to_save'",
    ],
    [
      'L12',
      'ranks by layer',
      set('rank_pattern', { q_proj: 8 }),
      'BRAIN3D_UNSUPPORTED',
      'rank_pattern',
      "'rank_pattern'",
    ],
    [
      'L13',
      'a weight that is no number',
      editTensors((header, data) => {
        data.writeFloatLE(Number.NaN, header[firstTensor(header, 'lora_A.weight')].data_offsets[0]);
      }),
      'BRAIN3D_WEIGHTS',
      /lora_A/,
      'that are NaN or infinite (adapter_model.safetensors)',
    ],
  ];

  test.each(rows)('%s: %s', async (_id, _what, spoil, code, field, message) => {
    spoil();
    const error = await refusalOf(load);
    expect(error).toMatchObject({ code, file: expect.any(String), message: expect.stringContaining(message) });
    expectField(error, field);
  });

  test('L06, L14: patterns are not run, and names of other places are not opened', async () => {
    set('target_modules', '(a+)+$')();
    set('base_model_name_or_path', '/etc/passwd')();
    const model = await load();
    await model.dispose();
  });

  test('a weight of the checkpoint that is no number is refused by name', async () => {
    const file = path('checkpoint/brain3d.safetensors');
    const bytes = readFileSync(file);
    const length = Number(bytes.readBigUInt64LE(0));
    const header = JSON.parse(bytes.subarray(8, 8 + length).toString());
    bytes.writeFloatLE(Number.POSITIVE_INFINITY, 8 + length + header.vis_scale.data_offsets[0]);
    writeFileSync(file, bytes);
    expect(await refusalOf(load)).toMatchObject({
      code: 'BRAIN3D_WEIGHTS',
      field: 'vis_scale',
      file: 'brain3d.safetensors',
    });
  });
});
