/** New checkpoints: `init` from two backbones, and `import` from the authors' files. */
import { cpSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { importCheckpoint, initCheckpoint } from 'brain3d';
import { ROOT } from '../../support/child';
import { copyModelBeforeEach, path, read, write } from '../../support/spoiled-model';
import { writeGoldenTokenizer } from '../../support/tokenizer';

const GOLDEN = join(ROOT, 'test/golden');
const golden = { vision: join(GOLDEN, 'models/vision'), language: join(GOLDEN, 'models/gemma_text') };
copyModelBeforeEach();

describe('init and import', () => {
  test('init is a function of its seed and refuses to overwrite', async () => {
    const make = (out: string, seed: number) =>
      initCheckpoint({ vision: path('vision'), language: path('language'), out: path(out), seed });
    const made = await make('a', 3);
    await make('b', 3);
    await make('c', 4);
    const bytes = ['a', 'b', 'c'].map((name) => readFileSync(path(`${name}/brain3d.safetensors`)));
    expect(bytes[0]?.equals(bytes[1] as Buffer)).toBe(true);
    expect(bytes[0]?.equals(bytes[2] as Buffer)).toBe(false);
    expect(made).toMatchObject({ phase: 'initialised', eosTokenIds: [1], hasAdapter: false });
    expect(made.vision.files.map((file) => file.name)).toEqual(['config.json', 'model.safetensors']);
    await expect(make('a', 3)).rejects.toMatchObject({ code: 'BRAIN3D_USAGE' });
  });

  test('import reads the authors projector and leaves out a folder that holds no adapter', async () => {
    cpSync(golden.language, path('gemma'), { recursive: true });
    writeGoldenTokenizer(path('gemma'));
    const from = join(GOLDEN, 'peer/phase2a');
    const made = await importCheckpoint({
      from,
      vision: golden.vision,
      language: path('gemma'),
      out: path('imported'),
    });
    expect(made).toMatchObject({
      phase: 'imported',
      hasAdapter: false,
      recipe: { name: 'braingemma3d', channelCollapse: 'mean', position: 'linear' },
      prompt: 'Generate a radiology report for this brain MRI FLAIR scan. \n',
    });
    const adapted = await importCheckpoint({
      from: join(GOLDEN, 'peer/phase2b'),
      vision: golden.vision,
      language: path('gemma'),
      out: path('adapted'),
    });
    expect(adapted.hasAdapter).toBe(true);
  });

  test('import refuses an adapter that loading would refuse, before it writes anything', async () => {
    cpSync(golden.language, path('gemma'), { recursive: true });
    writeGoldenTokenizer(path('gemma'));
    cpSync(join(GOLDEN, 'peer/phase2b'), path('phase2b'), { recursive: true });
    const config = 'phase2b/lora_adapters/adapter_config.json';
    write(config, { ...read(config), init_lora_weights: 'pissa' });
    const options = { from: path('phase2b'), vision: golden.vision, language: path('gemma'), out: path('imported') };
    await expect(importCheckpoint(options)).rejects.toMatchObject({
      code: 'BRAIN3D_UNSUPPORTED',
      field: 'init_lora_weights',
    });
    expect(readdirSync(path('imported'))).toEqual([]);
  });

  test('import refuses a file that holds code', async () => {
    cpSync(join(GOLDEN, 'peer/forbidden.pt'), path('projector_vis_scale.pt'));
    const options = {
      from: dirname(path('projector_vis_scale.pt')),
      vision: golden.vision,
      language: path('language'),
      out: path('imported'),
    };
    await expect(importCheckpoint(options)).rejects.toMatchObject({
      code: 'BRAIN3D_UNSUPPORTED',
      message: expect.stringContaining('posix'),
    });
  });
});
