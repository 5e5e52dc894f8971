/**
 * Reads and writes checkpoints. A checkpoint is a directory: `brain3d.json`, `brain3d.safetensors` and, where LoRA was
 * trained, `adapter/`. The format is in docs/checkpoints.md.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import * as v from 'valibot';
import { Brain3DError } from '../base/errors';
import { digestFile } from '../files/digest';
import { makeFolders } from '../files/folders';
import { portablePath } from '../files/portable-path';
import { fromStored, toStored, writeStored } from '../files/stored';
import type { BackboneFile } from './backbone';
import { digestFiles, fingerprint, readJsonFile } from './backbone';
import { COMPRESSIONS, RECIPES, type Recipe } from './recipe';

export const CHECKPOINT_FORMAT_VERSION = 1;
export const CHECKPOINT_FILE = 'brain3d.json';
export const WEIGHTS_FILE = 'brain3d.safetensors';
export const ADAPTER_DIR = 'adapter';
/** The key in the provenance of an imported model that says whether it has an adapter. */
export const ADAPTER_PROVENANCE = 'adapter';

/** The phases a checkpoint has been through. The last three are the paper's Phases 1, 2A and 2B. */
export const PHASES = ['initialised', 'imported', 'grounding', 'projector-warmup', 'lora-sft'] as const;
export type Phase = (typeof PHASES)[number];

const Count = v.pipe(v.number(), v.integer(), v.minValue(1));
const Triple = v.strictTuple([Count, Count, Count]);
const Backbone = v.object({
  /** The path relative to the checkpoint's directory, or absolute. */
  path: v.string(),
  fingerprint: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
  files: v.array(v.object({ name: v.string(), bytes: v.number(), sha256: v.string() })),
});

/** Every field of a `Recipe`. Writing a checkpoint refuses a field that is missing here or unknown. */
const RecipeSchema = v.strictObject({
  name: v.picklist(RECIPES),
  channel_collapse: v.picklist(['sum', 'mean']),
  position: v.picklist(['learned_depth_pretrained_spatial', 'pretrained_spatial', 'linear']),
  // Checkpoints from before there was a choice do not name it.
  attention: v.optional(v.picklist(['volume', 'slice']), 'volume'),
  compression: v.picklist(COMPRESSIONS),
  num_visual_tokens: Count,
  compression_grid: Triple,
  depth_kernel: Count,
  depth_stride: Count,
  depth_padding: v.pipe(v.number(), v.integer(), v.minValue(0)),
  volume_size: Triple,
  lower_percentile: v.pipe(v.number(), v.minValue(0), v.maxValue(100)),
  upper_percentile: v.pipe(v.number(), v.minValue(0), v.maxValue(100)),
});

const CheckpointSchema = v.object({
  format: v.literal('brain3d'),
  format_version: v.literal(CHECKPOINT_FORMAT_VERSION),
  phase: v.picklist(PHASES),
  recipe: RecipeSchema,
  prompt: v.string(),
  eos_token_ids: v.pipe(v.array(v.pipe(v.number(), v.integer(), v.minValue(0))), v.minLength(1)),
  backbones: v.object({ vision: Backbone, language: Backbone }),
  provenance: v.record(v.string(), v.union([v.string(), v.number()])),
  /**
   * The SHA-256 of the list of images that it was trained on. Checkpoints that never trained, and older ones, have
   * none.
   */
  trained_on_sha256: v.optional(v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/))),
});

type StoredCheckpoint = v.InferOutput<typeof CheckpointSchema>;

export interface CheckpointBackbone {
  /** The absolute path of the directory. */
  dir: string;
  fingerprint: string;
  files: BackboneFile[];
}

export interface Checkpoint {
  dir: string;
  phase: Phase;
  recipe: Recipe;
  prompt: string;
  eosTokenIds: number[];
  vision: CheckpointBackbone;
  language: CheckpointBackbone;
  provenance: Record<string, string | number>;
  /** The digest of `trained-on.json`; null where there is none. */
  trainedOnSha256: string | null;
  hasAdapter: boolean;
}

/** Reads and checks `brain3d.json`. @throws {Brain3DError} BRAIN3D_NOT_FOUND, BRAIN3D_CONFIG, BRAIN3D_UNSUPPORTED, BRAIN3D_WEIGHTS */
export async function readCheckpoint(dir: string): Promise<Checkpoint> {
  const path = join(dir, CHECKPOINT_FILE);
  const json = await readJsonFile(path);
  refuseNewerFormat(json);
  const result = v.safeParse(CheckpointSchema, json);
  if (!result.success) {
    const issue = result.issues[0];
    const field = v.getDotPath(issue) ?? CHECKPOINT_FILE;
    throw new Brain3DError(
      'BRAIN3D_CONFIG',
      `${CHECKPOINT_FILE}: expected ${issue.expected ?? 'another value'} for '${field}', got ${issue.received}`,
      { file: CHECKPOINT_FILE, field },
    );
  }
  const stored = result.output;
  const hasAdapter = existsSync(join(dir, ADAPTER_DIR, 'adapter_config.json'));
  if (!hasAdapter) refuseLostAdapter(stored);
  return {
    dir: resolve(dir),
    phase: stored.phase,
    recipe: fromStored<Recipe>(stored.recipe),
    prompt: stored.prompt,
    eosTokenIds: stored.eos_token_ids,
    vision: locate(dir, stored.backbones.vision),
    language: locate(dir, stored.backbones.language),
    provenance: stored.provenance,
    trainedOnSha256: stored.trained_on_sha256 ?? null,
    hasAdapter,
  };
}

/** Writes `brain3d.json` atomically; makes the directory. */
export async function writeCheckpoint(checkpoint: Omit<Checkpoint, 'hasAdapter'>): Promise<void> {
  const backbone = ({ dir, ...digests }: CheckpointBackbone) => ({
    path: portablePath(checkpoint.dir, dir),
    fingerprint: digests.fingerprint,
    files: digests.files,
  });
  const stored: StoredCheckpoint = {
    format: 'brain3d',
    format_version: CHECKPOINT_FORMAT_VERSION,
    phase: checkpoint.phase,
    recipe: toStored(RecipeSchema, checkpoint.recipe),
    prompt: checkpoint.prompt,
    eos_token_ids: checkpoint.eosTokenIds,
    backbones: { vision: backbone(checkpoint.vision), language: backbone(checkpoint.language) },
    provenance: checkpoint.provenance,
    ...(checkpoint.trainedOnSha256 === null ? {} : { trained_on_sha256: checkpoint.trainedOnSha256 }),
  };
  await makeFolders(checkpoint.dir);
  await writeStored(join(checkpoint.dir, CHECKPOINT_FILE), stored);
}

/** Computes the digest over the checkpoint's own files. `brain3d.json` contains the digests of the backbones. */
export async function digestCheckpoint(dir: string, signal?: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  for (const name of [CHECKPOINT_FILE, ...(await tensorFiles(dir))])
    hash.update(`${name}\0${await digestFile(join(dir, name), signal)}\n`);
  return hash.digest('hex');
}

/**
 * Computes the digest of everything that decides a model's answers: recipe, prompt, digests of the backbones, weights,
 * adapter. A copy has the same digest, wherever it and its backbones lie and whatever its provenance notes.
 */
export async function digestAnswers(dir: string, signal?: AbortSignal): Promise<string> {
  const { recipe, prompt, eosTokenIds, vision, language } = await readCheckpoint(dir);
  const backbones = [vision, language].map(({ fingerprint: print, files }) => [print, files]);
  const hash = createHash('sha256').update(
    JSON.stringify([toStored(RecipeSchema, recipe), prompt, eosTokenIds, backbones]),
  );
  for (const name of await tensorFiles(dir)) hash.update(`${name}\0${await digestFile(join(dir, name), signal)}\n`);
  return hash.digest('hex');
}

/** Lists the weights and the adapter's files by their names in the checkpoint. */
async function tensorFiles(dir: string): Promise<string[]> {
  const adapter = join(dir, ADAPTER_DIR);
  const inAdapter = existsSync(adapter) ? (await readdir(adapter)).sort() : [];
  return [WEIGHTS_FILE, ...inAdapter.map((name) => `${ADAPTER_DIR}/${name}`)];
}

/** Computes the digests of a backbone directory for a new checkpoint. */
export async function describeBackbone(dir: string, signal?: AbortSignal): Promise<CheckpointBackbone> {
  return { dir: resolve(dir), fingerprint: await fingerprint(dir), files: await digestFiles(dir, signal) };
}

/** Refuses a backbone that is missing or not the one the checkpoint was made for. */
export async function verifyBackbone(kind: 'vision' | 'language', backbone: CheckpointBackbone): Promise<void> {
  if (!existsSync(backbone.dir)) {
    throw new Brain3DError(
      'BRAIN3D_NOT_FOUND',
      `the checkpoint's ${kind} backbone '${basename(backbone.dir)}' is not where ${CHECKPOINT_FILE} says; put it there or ` +
        `correct backbones.${kind}.path`,
      { file: CHECKPOINT_FILE, field: `backbones.${kind}.path` },
    );
  }
  if ((await fingerprint(backbone.dir)) === backbone.fingerprint) return;
  throw new Brain3DError(
    'BRAIN3D_WEIGHTS',
    `the ${kind} backbone '${basename(backbone.dir)}' is not the one this checkpoint was made for (its fingerprint differs); ` +
      'give the original files, or make a new checkpoint with `brain3d init`',
    { file: CHECKPOINT_FILE, field: `backbones.${kind}.fingerprint` },
  );
}

/** Refuses a model that has lost the adapter it was trained with: it would write fluent text that means nothing. */
function refuseLostAdapter({ phase, provenance }: StoredCheckpoint): void {
  if (phase !== 'lora-sft' && provenance[ADAPTER_PROVENANCE] === undefined) return;
  throw new Brain3DError(
    'BRAIN3D_WEIGHTS',
    `expected ${ADAPTER_DIR}/adapter_config.json in a checkpoint that was made with an adapter (phase ${phase}), but it is not there; ` +
      'get the checkpoint again, whole',
    { file: 'adapter_config.json' },
  );
}

function refuseNewerFormat(json: unknown): void {
  const version = (json as { format_version?: unknown } | null)?.format_version;
  if (typeof version !== 'number' || version <= CHECKPOINT_FORMAT_VERSION) return;
  throw new Brain3DError(
    'BRAIN3D_UNSUPPORTED',
    `${CHECKPOINT_FILE}: format_version ${version} is newer than ${CHECKPOINT_FORMAT_VERSION}, the newest this brain3d ` +
      'reads; update brain3d',
    { file: CHECKPOINT_FILE, field: 'format_version' },
  );
}

function locate(dir: string, stored: StoredCheckpoint['backbones']['vision']): CheckpointBackbone {
  return { dir: resolve(dir, stored.path), fingerprint: stored.fingerprint, files: stored.files };
}
