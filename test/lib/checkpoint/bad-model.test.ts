/** Bad input at every entrance of a model: each case spoils one thing of a good model and names what must be said. */
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Brain3D, importCheckpoint, initCheckpoint, writeTensors } from 'brain3d';
import { fingerprint } from '../../../dist/checkpoint/backbone';
import { type Loose, MODEL, ROOT } from '../../support/child';
import { copyModelBeforeEach, path } from '../../support/spoiled-model';
import { writeGoldenTokenizer } from '../../support/tokenizer';

const GOLDEN = join(ROOT, 'test/golden');
const golden = { vision: join(GOLDEN, 'models/vision'), language: join(GOLDEN, 'models/gemma_text') };
copyModelBeforeEach();
const editJson = (name: string, edit: (json: Loose) => void): void => {
  const json = JSON.parse(readFileSync(path(name), 'utf8'));
  edit(json);
  writeFileSync(path(name), JSON.stringify(json));
};

/** Lets a spoiled backbone past the fingerprint, so that the loader itself must notice. */
async function sealBackbones(): Promise<void> {
  const digests = { vision: await fingerprint(path('vision')), language: await fingerprint(path('language')) };
  editJson('checkpoint/brain3d.json', (json) => {
    json.backbones.vision.fingerprint = digests.vision;
    json.backbones.language.fingerprint = digests.language;
  });
}

const load = (): Promise<Brain3D> => Brain3D.load({ model: path('checkpoint') });

async function refusal(): Promise<{ code: string; message: string; file?: string; field?: string }> {
  return load().then(
    async (model) => {
      await model.dispose();
      throw new Error('the model was loaded');
    },
    (error) => error,
  );
}

/** Rewrites a safetensors file with a changed header, the data kept. */
function editTensors(name: string, edit: (header: Record<string, Loose>) => void): void {
  const bytes = readFileSync(path(name));
  const length = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, 8 + length).toString('utf8'));
  edit(header);
  const text = Buffer.from(JSON.stringify(header));
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(text.length));
  writeFileSync(path(name), Buffer.concat([size, text, bytes.subarray(8 + length)]));
}

const rename = (header: Record<string, Loose>, from: string, to: string): void => {
  header[to] = header[from];
  delete header[from];
};

test('the unspoiled copy loads', async () => {
  await (await load()).dispose();
});

describe('checkpoint', () => {
  test.each([
    ['no brain3d.json', () => rmSync(path('checkpoint/brain3d.json')), 'BRAIN3D_NOT_FOUND', 'brain3d.json'],
    ['no JSON', () => writeFileSync(path('checkpoint/brain3d.json'), '{'), 'BRAIN3D_CONFIG', 'expected JSON'],
    [
      'a newer format',
      () =>
        editJson('checkpoint/brain3d.json', (json) => {
          json.format_version = 99;
        }),
      'BRAIN3D_UNSUPPORTED',
      'format_version 99 is newer',
    ],
    [
      'an unknown recipe',
      () =>
        editJson('checkpoint/brain3d.json', (json) => {
          json.recipe.name = 'mine';
        }),
      'BRAIN3D_CONFIG',
      "'recipe.name'",
    ],
    [
      'a missing field',
      () => editJson('checkpoint/brain3d.json', (json) => void delete json.prompt),
      'BRAIN3D_CONFIG',
      "'prompt'",
    ],
    [
      'a compression that does not fit',
      () =>
        editJson('checkpoint/brain3d.json', (json) => {
          json.recipe.compression = 'grid';
          json.recipe.compression_grid = [8, 2, 3];
        }),
      'BRAIN3D_CONFIG',
      'compression_grid 8 x 2 x 3 does not make 32',
    ],
    ['no weights', () => rmSync(path('checkpoint/brain3d.safetensors')), 'BRAIN3D_NOT_FOUND', 'brain3d.safetensors'],
    ['no vision backbone', () => rmSync(path('vision'), { recursive: true }), 'BRAIN3D_NOT_FOUND', 'vision backbone'],
    [
      'another backbone',
      () =>
        editJson('vision/config.json', (json) => {
          json.note = 'changed';
        }),
      'BRAIN3D_WEIGHTS',
      'not the one this checkpoint was made for',
    ],
  ])('%s', async (_title, spoil, code, message) => {
    spoil();
    expect(await refusal()).toMatchObject({ code, message: expect.stringContaining(message) });
  });

  test.each([
    'vision.patch_embedding_3d.weight',
    'vision.patch_embedding_3d.bias',
    'vision.depth_position_embedding.weight',
    'projector.fc1.weight',
    'projector.fc2.bias',
    'vis_scale',
  ])('without %s there is no model and no text', async (name) => {
    editTensors('checkpoint/brain3d.safetensors', (header) => rename(header, name, `${name}.gone`));
    const error = await refusal();
    expect(error).toMatchObject({ code: 'BRAIN3D_WEIGHTS', field: name });
    expect(error.message).toContain(`1 missing: ${name}`);
    expect(error.message).toContain(`1 unexpected: ${name}.gone`);
  });
});

/** Everything that a report needs: each group of tensors, and the files that hold them. */
describe('a model without one of its parts writes nothing:', () => {
  const without = (file: string, pattern: RegExp) => (): void => {
    editTensors(file, (header) => {
      const gone = Object.keys(header).filter((name) => pattern.test(name));
      expect(gone.length).toBeGreaterThan(0);
      for (const name of gone) rename(header, name, `gone.${name}`);
    });
  };
  const own = 'checkpoint/brain3d.safetensors';
  const adapter = 'checkpoint/adapter';
  test.each<[string, () => void, string, string]>([
    ['patch embedding', without(own, /patch_embedding_3d/), 'BRAIN3D_WEIGHTS', 'patch_embedding_3d'],
    ['depth positions', without(own, /depth_position/), 'BRAIN3D_WEIGHTS', 'depth_position'],
    ['projector', without(own, /^projector\./), 'BRAIN3D_WEIGHTS', 'projector.'],
    ['gate', without(own, /^vis_scale$/), 'BRAIN3D_WEIGHTS', 'vis_scale'],
    ['LoRA', without(`${adapter}/adapter_model.safetensors`, /lora_[AB]/), 'BRAIN3D_WEIGHTS', ''],
    ['one side of LoRA', without(`${adapter}/adapter_model.safetensors`, /lora_B/), 'BRAIN3D_WEIGHTS', 'lora_'],
    ['vision encoder', without('vision/model.safetensors', /encoder\.layers/), 'BRAIN3D_WEIGHTS', 'encoder.layers'],
    ['language model', without('language/model.safetensors', /layers\.\d/), 'BRAIN3D_WEIGHTS', 'layers.'],
    ['adapter', () => rmSync(path(adapter), { recursive: true }), 'BRAIN3D_WEIGHTS', 'made with an adapter'],
    [
      'adapter_config.json',
      () => rmSync(path(`${adapter}/adapter_config.json`)),
      'BRAIN3D_WEIGHTS',
      'made with an adapter',
    ],
    [
      'adapter weights',
      () => rmSync(path(`${adapter}/adapter_model.safetensors`)),
      'BRAIN3D_NOT_FOUND',
      'adapter_model',
    ],
    ['checkpoint weights', () => rmSync(path(own)), 'BRAIN3D_NOT_FOUND', 'brain3d.safetensors'],
  ])('%s', async (_title, spoil, code, message) => {
    spoil();
    await sealBackbones();
    expect(await refusal()).toMatchObject({ code, message: expect.stringContaining(message) });
  });

  test('the adapter of an import', async () => {
    cpSync(golden.language, path('gemma'), { recursive: true });
    writeGoldenTokenizer(path('gemma'));
    const from = join(GOLDEN, 'peer/phase2b');
    await importCheckpoint({ from, vision: golden.vision, language: path('gemma'), out: path('imported') });
    rmSync(path('imported/adapter'), { recursive: true });
    await expect(Brain3D.load({ model: path('imported') })).rejects.toMatchObject({
      code: 'BRAIN3D_WEIGHTS',
      file: 'adapter_config.json',
    });
  });
});

describe('backbones', () => {
  const language = 'language/model.safetensors';
  test.each([
    [
      'a missing tensor',
      () =>
        editTensors(language, (h) =>
          rename(h, 'model.layers.3.mlp.up_proj.weight', 'model.layers.9.mlp.up_proj.weight'),
        ),
      'BRAIN3D_WEIGHTS',
      'text.layers.3.mlp.up_proj.weight',
    ],
    [
      'a mis-shaped tensor',
      () => editTensors(language, (h) => h['model.layers.0.mlp.up_proj.weight'].shape.reverse()),
      'BRAIN3D_WEIGHTS',
      'expected [640, 192], got [192, 640]',
    ],
    [
      'weights that are not float',
      () =>
        editTensors(language, (h) => {
          h['model.norm.weight'].dtype = 'I16';
        }),
      'BRAIN3D_WEIGHTS',
      'got I16',
    ],
    ['a truncated file', () => truncate(language, 1000), 'BRAIN3D_FORMAT', 'model.safetensors'],
    ['no weights at all', () => rmSync(path(language)), 'BRAIN3D_NOT_FOUND', 'model.safetensors'],
    ['no config.json', () => rmSync(path('language/config.json')), 'BRAIN3D_NOT_FOUND', 'config.json'],
    [
      'a config without its type',
      () => editJson('language/config.json', (json) => void delete json.model_type),
      'BRAIN3D_CONFIG',
      "'model_type'",
    ],
    [
      'another family',
      () =>
        editJson('language/config.json', (json) => {
          json.model_type = 'llama';
        }),
      'BRAIN3D_CONFIG',
      'gemma3, gemma3_text or qwen2',
    ],
    [
      'a size that is no number',
      () =>
        editJson('language/config.json', (json) => {
          json.hidden_size = '192';
        }),
      'BRAIN3D_CONFIG',
      `"192"`,
    ],
    [
      'heads that do not divide',
      () =>
        editJson('language/config.json', (json) => {
          json.num_key_value_heads = 3;
        }),
      'BRAIN3D_CONFIG',
      'a divisor of num_attention_heads',
    ],
    [
      'quantised weights',
      () =>
        editJson('language/config.json', (json) => {
          json.quantization_config = { load_in_4bit: true };
        }),
      'BRAIN3D_UNSUPPORTED',
      'quantization_config',
    ],
    [
      'an unknown rope type',
      () =>
        editJson('language/config.json', (json) => {
          json.rope_parameters.full_attention.rope_type = 'yarn';
        }),
      'BRAIN3D_CONFIG',
      'default or linear',
    ],
    [
      'a missing vision tensor',
      () =>
        editTensors('vision/model.safetensors', (h) =>
          rename(h, 'vision_model.encoder.layers.0.mlp.fc1.weight', 'vision_model.encoder.layers.0.mlp.fc9.weight'),
        ),
      'BRAIN3D_WEIGHTS',
      'vision.encoder.layers.0.mlp.fc1.weight',
    ],
    ['no tokenizer', () => rmSync(path('language/tokenizer.json')), 'BRAIN3D_NOT_FOUND', 'tokenizer.json'],
    [
      'a bad top_k in generation_config.json',
      () =>
        editJson('language/generation_config.json', (json) => {
          json.top_k = -3;
        }),
      'BRAIN3D_CONFIG',
      'top_k',
    ],
  ])('%s', async (_title, spoil, code, message) => {
    spoil();
    await sealBackbones();
    expect(await refusal()).toMatchObject({ code, message: expect.stringContaining(message) });
  });

  test('a tokenizer and an embedding that disagree', async () => {
    const json = JSON.parse(readFileSync(path('language/tokenizer.json'), 'utf8'));
    for (let i = 0; i < 500; i++) json.model.vocab[`extra${i}`] = 1921 + i;
    writeFileSync(path('language/tokenizer.json'), JSON.stringify(json));
    await sealBackbones();
    expect(await refusal()).toMatchObject({
      code: 'BRAIN3D_CONFIG',
      message: expect.stringContaining("2421 tokens, but the language model's embedding has 1921 rows"),
    });
    const made = { vision: path('vision'), language: path('language'), out: path('made') };
    await expect(initCheckpoint(made)).rejects.toMatchObject({
      code: 'BRAIN3D_CONFIG',
      message: expect.stringContaining("2421 tokens, but the language model's embedding has 1921 rows"),
    });
  });

  /** The last `count` tokens of the vocabulary become added ones, and `more` come behind them. */
  const addTokens = (count: number, more: number): void => {
    editJson('language/tokenizer.json', (json) => {
      const { vocab, merges } = json.model;
      const moved = Object.entries(vocab as Record<string, number>).filter(([, id]) => id >= 1921 - count);
      for (const [token] of moved) delete vocab[token];
      const isKnown = (merge: [string, string]): boolean =>
        [...merge, merge.join('')].every((token) => Object.hasOwn(vocab, token));
      json.model.merges = (merges as [string, string][]).filter(isKnown);
      const added = [...moved, ...Array.from({ length: more }, (_, at): [string, number] => [`<new${at}>`, 1921 + at])];
      const kind = { special: false, single_word: false, lstrip: false, rstrip: false, normalized: false };
      json.added_tokens.push(...added.map(([content, id]) => ({ id, content, ...kind })));
    });
  };

  test.each([
    ['as many as there are rows', 200, 0],
    ['some of them beyond the rows', 200, 300],
    ['all beyond the rows', 0, 300],
  ])('a tokenizer with added tokens, %s, belongs to its model', async (_title, count, more) => {
    addTokens(count, more);
    await sealBackbones();
    await (await load()).dispose();
    const made = { vision: path('vision'), language: path('language'), out: path('made') };
    await expect(initCheckpoint(made)).resolves.toMatchObject({ phase: 'initialised' });
  });

  const truncate = (name: string, bytes: number): void => {
    writeFileSync(path(name), readFileSync(path(name)).subarray(0, -bytes));
  };
});

describe('adapter', () => {
  const useAdapter = (name: string): void =>
    cpSync(join(GOLDEN, 'checkpoints', name, 'adapter'), path('checkpoint/adapter'), { recursive: true });

  test('of another model', async () => {
    useAdapter('paper_text');
    expect(await refusal()).toMatchObject({
      code: 'BRAIN3D_WEIGHTS',
      message: expect.stringContaining('the adapter is for another model'),
    });
  });

  test.each([
    ['use_dora', true],
    ['modules_to_save', ['lm_head']],
    ['bias', 'all'],
    ['rank_pattern', { q_proj: 8 }],
    ['peft_type', 'IA3'],
    ['init_lora_weights', 'pissa'],
    ['init_lora_weights', 'olora'],
    ['kasa_config', {}],
    ['a_field_of_tomorrow', 1],
  ])('of a kind that is not supported: %s', async (field, value) => {
    useAdapter('paper_text');
    editJson('checkpoint/adapter/adapter_config.json', (json) => {
      json[field] = value;
    });
    expect(await refusal()).toMatchObject({ code: 'BRAIN3D_UNSUPPORTED', field });
  });

  test('with another rank than configured, or half a pair', async () => {
    useAdapter('paper_text');
    editJson('checkpoint/adapter/adapter_config.json', (json) => {
      json.r = 8;
    });
    expect(await refusal()).toMatchObject({ code: 'BRAIN3D_WEIGHTS', message: expect.stringContaining('rank 8') });
    editJson('checkpoint/adapter/adapter_config.json', (json) => {
      json.r = 4;
    });
    const prefix = 'base_model.model.model.layers.0.self_attn.q_proj.lora_';
    editTensors('checkpoint/adapter/adapter_model.safetensors', (header) =>
      rename(header, `${prefix}B.weight`, 'base_model.model.model.layers.8.self_attn.q_proj.lora_B.weight'),
    );
    expect(await refusal()).toMatchObject({ message: expect.stringContaining('lora_A without lora_B') });
  });
});

test('devices and dtypes that are not there', async () => {
  await expect(Brain3D.load({ model: MODEL, device: 'cuda:63' })).rejects.toMatchObject({ code: 'BRAIN3D_DEVICE' });
  await expect(Brain3D.load({ model: MODEL, device: 'tpu' })).rejects.toBeInstanceOf(RangeError);
  await expect(Brain3D.load({ model: MODEL, dtype: 'float64' as never })).rejects.toBeInstanceOf(TypeError);
});

test('writeTensors refuses data that does not fit its shape', async () => {
  const tensors = [{ name: 'x', shape: [2, 2], data: new Float32Array(3) }];
  await expect(writeTensors(path('x.safetensors'), tensors)).rejects.toBeInstanceOf(RangeError);
});
