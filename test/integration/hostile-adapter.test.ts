/**
 * Hostile adapters by number: L01 to L14 of docs/hostile-files.md.
 *
 * Each row spoils one thing of the demo model and says which message and which field the refusal must name. A refusal
 * stays within the bounds of test/support/bounds.ts. After each row the sound model loads in the same process.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { Brain3D, inspectVolume } from 'brain3d';
import { refusalOf } from '../support/bounds';
import { type Loose, MODEL, SAMPLE } from '../support/child';
import { copyModelBeforeEach, expectField, type Field, path, read, write } from '../support/spoiled-model';

beforeAll(async () => void (await inspectVolume(SAMPLE))); // loads the addon, which none of the rows should pay for
copyModelBeforeEach();

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
