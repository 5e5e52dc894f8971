/**
 * Hostile configurations by number: C01 to C12 of docs/hostile-files.md.
 *
 * Each row spoils one thing of the demo model and says which message and which field the refusal must name. A refusal
 * stays within the bounds of test/support/bounds.ts. After each row the sound model loads in the same process.
 */
import { join } from 'node:path';
import { inspect, inspectVolume } from 'brain3d';
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
