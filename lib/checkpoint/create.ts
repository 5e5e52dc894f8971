/** New checkpoints: from two backbones, or from the authors' files. */

import { existsSync } from 'node:fs';
import { chmod, constants, copyFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import * as v from 'valibot';
import { Brain3DError, withCallerStack } from '../base/errors';
import { is, parseOptions } from '../base/validate';
import { withFolderLock } from '../files/folder-lock';
import { makeFolders } from '../files/folders';
import { loadAddon } from '../native/binding';
import { callNative } from '../native/call';
import type { NativeAddon } from '../native/surface';
import { requireVocabulary, Tokenizer } from '../tokenizer/tokenizer';
import {
  ADAPTER_DIR,
  ADAPTER_PROVENANCE,
  CHECKPOINT_FILE,
  type Checkpoint,
  describeBackbone,
  type Phase,
  readCheckpoint,
  WEIGHTS_FILE,
  writeCheckpoint,
} from './checkpoint';
import { eosTokenId, readLanguageFamily, requireBegin } from './families';
import { COMPRESSIONS, makeRecipe, PATCH_EMBEDDINGS, RECIPES, type Recipe, recipePrompt } from './recipe';

const entries = {
  /** The directory of the vision backbone (SigLIP). */
  vision: is.text(),
  /** The directory of the language backbone (Gemma 3 or Qwen 2.5). */
  language: is.text(),
  /** The directory to make; it must not hold a checkpoint yet. */
  out: is.text(),
  /** @default 'sequence' */
  compression: v.optional(is.oneOf(COMPRESSIONS)),
  signal: v.optional(is.signal()),
};
const InitSchema = v.object({
  ...entries,
  /** @default 'paper' */
  recipe: v.optional(is.oneOf(RECIPES)),
  /**
   * Whether the patch embedding is the backbone's 2D kernel inflated, or drawn at random. The rest of the encoder is
   * the backbone's either way. @default 'inflated'
   */
  patchEmbedding: v.optional(is.oneOf(PATCH_EMBEDDINGS)),
  /** The seed of the weights that are drawn at random. @default 0 */
  seed: v.optional(is.integer(0, Number.MAX_SAFE_INTEGER)),
  /** The number of planes of voxels that a patch spans. @default 2; 1 for `slices` */
  depthKernel: v.optional(is.integer(1, 64)),
  /** The number of planes from one patch to the next. @default 1 */
  depthStride: v.optional(is.integer(1, 64)),
  /** The number of planes of zeros in front and behind, fewer than a patch spans. @default 1; 0 for `slices` */
  depthPadding: v.optional(is.integer(0, 63)),
  /** The shape (D, H, W) of a preprocessed volume. @default [64, 128, 128] */
  volumeSize: v.optional(v.strictTuple([is.integer(1, 4096), is.integer(1, 4096), is.integer(1, 4096)])),
});
const ImportSchema = v.object({
  ...entries,
  /** A directory of the authors' code: `projector_vis_scale.pt` and, where LoRA was trained, `lora_adapters/`. */
  from: is.text(),
});
export type InitOptions = v.InferInput<typeof InitSchema>;
export type ImportOptions = v.InferInput<typeof ImportSchema>;

/** Makes an untrained checkpoint over two backbones. @throws {Brain3DError} as `Brain3D.load` */
export async function initCheckpoint(options: InitOptions): Promise<Checkpoint> {
  const parsed = parseOptions('initCheckpoint', InitSchema, options);
  const { compression, depthKernel, depthStride, depthPadding, volumeSize } = parsed;
  const geometry = { compression, depthKernel, depthStride, depthPadding, volumeSize };
  const recipe = makeRecipe(parsed.recipe ?? 'paper', geometry);
  // A patch that sees only planes of zeros would be a token about nothing.
  if (recipe.depthPadding >= recipe.depthKernel)
    throw new RangeError(
      `initCheckpoint: expected depthPadding below depthKernel (${recipe.depthKernel}), got ${recipe.depthPadding}`,
    );
  const { seed = 0, patchEmbedding = 'inflated' } = parsed;
  const provenance = { command: 'init', seed, patch_embedding: `${patchEmbedding}` };
  return withCallerStack(initCheckpoint, () =>
    create(parsed, recipe, 'initialised', provenance, (addon, spec, signal) =>
      callNative(addon, signal, (token) => addon.initCheckpoint({ ...spec, patchEmbedding, seed }, token)),
    ),
  );
}

/**
 * Makes a checkpoint of the recipe `braingemma3d` from the authors' files. Code in a pickle is never executed. The
 * patch embedding comes from the vision backbone, since the authors' file does not contain the one they trained.
 */
export async function importCheckpoint(options: ImportOptions): Promise<Checkpoint> {
  const parsed = parseOptions('importCheckpoint', ImportSchema, options);
  const recipe = makeRecipe('braingemma3d', { compression: parsed.compression });
  const file = join(parsed.from, 'projector_vis_scale.pt');
  const adapter = join(parsed.from, 'lora_adapters');
  const hasAdapter = existsSync(join(adapter, 'adapter_config.json'));
  const provenance = {
    command: 'import',
    source: basename(resolve(parsed.from)),
    patch_embedding: 'inflated',
    ...(hasAdapter ? { [ADAPTER_PROVENANCE]: basename(adapter) } : {}),
  };
  const makeWeights: MakeWeights = async (addon, spec, signal) => {
    const adapterDir = hasAdapter ? adapter : '';
    await callNative(addon, signal, (token) => addon.importProjector({ ...spec, file, adapterDir }, token));
    // The authors' earlier phases leave a whole language model in that folder; only an adapter has this file.
    if (!hasAdapter) return;
    const target = join(parsed.out, ADAPTER_DIR);
    await makeFolders(target);
    for (const name of ['adapter_config.json', 'adapter_model.safetensors']) {
      await copyFile(join(adapter, name), join(target, name), constants.COPYFILE_EXCL);
      await chmod(join(target, name), 0o600); // a copy keeps the mode of its source
    }
  };
  return withCallerStack(importCheckpoint, () => create(parsed, recipe, 'imported', provenance, makeWeights));
}

type NewWeights = { visionDir: string; languageDir: string; recipe: Recipe; weightsFile: string };
type MakeWeights = (addon: NativeAddon, spec: NewWeights, signal: AbortSignal | undefined) => Promise<void>;

async function create(
  options: { vision: string; language: string; out: string; signal?: AbortSignal | undefined },
  recipe: Recipe,
  phase: Phase,
  provenance: Record<string, string | number>,
  makeWeights: MakeWeights,
): Promise<Checkpoint> {
  const addon = loadAddon();
  const { out, signal } = options;
  refuseCheckpoint(out);
  const reportEosId = await reportEos(addon, options.language, signal);
  await makeFolders(out);
  return withFolderLock(out, async (lock) => {
    // Another process may have made a checkpoint in the meantime.
    refuseCheckpoint(out);
    const weightsFile = join(out, WEIGHTS_FILE);
    const spec = { visionDir: options.vision, languageDir: options.language, recipe, weightsFile };
    await makeWeights(addon, spec, signal);
    const [vision, language] = [
      await describeBackbone(options.vision, signal),
      await describeBackbone(options.language, signal),
    ];
    await lock.require();
    // brain3d.json is written last: a directory without it is no checkpoint.
    await writeCheckpoint({
      dir: resolve(out),
      phase,
      recipe,
      prompt: recipePrompt(recipe.name),
      eosTokenIds: [reportEosId],
      vision,
      language,
      provenance: { ...provenance, brain3d: addon.buildInfo().version },
      trainedOnSha256: null,
    });
    return readCheckpoint(out);
  });
}

/** @throws {Brain3DError} BRAIN3D_USAGE */
function refuseCheckpoint(out: string): void {
  if (!existsSync(join(out, CHECKPOINT_FILE))) return;
  throw new Brain3DError(
    'BRAIN3D_USAGE',
    `'${basename(resolve(out))}' already holds a checkpoint; give a new directory`,
    { file: CHECKPOINT_FILE },
  );
}

/** Returns the id of the token that ends a report, and checks that the tokenizer fits the backbone. */
async function reportEos(addon: NativeAddon, languageDir: string, signal: AbortSignal | undefined): Promise<number> {
  const family = await readLanguageFamily(languageDir);
  const tokenizer = await Tokenizer.load(languageDir, { signal });
  try {
    const id = eosTokenId(family, tokenizer);
    await requireBegin(family, tokenizer);
    // Loading would refuse this backbone too.
    const { config } = await callNative(addon, signal, (token) => addon.inspectBackbone(languageDir, token));
    requireVocabulary(tokenizer, config.vocab_size as number, family.unusedRows);
    return id;
  } finally {
    await tokenizer.dispose();
  }
}
