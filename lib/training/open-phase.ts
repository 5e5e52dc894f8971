/** Opens everything that a phase needs before its first step, and runs it. */
import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Brain3DError } from '../base/errors';
import { respell, toSnake } from '../base/key-case';
import { combineDigests, digestFiles } from '../checkpoint/backbone';
import { ADAPTER_DIR, type Checkpoint, readCheckpoint, verifyBackbone, WEIGHTS_FILE } from '../checkpoint/checkpoint';
import { readLanguageFamily } from '../checkpoint/families';
import { alsoTrainedOn, readTrainedOn } from '../checkpoint/trained-on';
import { digestFile } from '../files/digest';
import type { FolderLock } from '../files/folder-lock';
import type { Sizes } from '../files/free-space';
import { callNative } from '../native/call';
import type { NativeAddon, NativeTrainer, NativeTrainerInfo, NativeTrainerSpec } from '../native/surface';
import { currentVersions } from '../native/versions';
import { requireVocabulary, Tokenizer } from '../tokenizer/tokenizer';
import { ADAPTER_CONFIG, ADAPTER_WEIGHTS, continuedAdapterConfig, newAdapterConfig } from './adapter-config';
import type { Emit, TrainedPhase } from './events';
import type { ObjectiveContext } from './objective';
import { OBJECTIVES, type ObjectiveSettings } from './objectives/registry';
import { PARAMETER_GROUPS, type ParameterGroup } from './parameter-groups';
import { runPhase, trainedPhase } from './phase-run';
import { PHASE_DEFINITIONS, type PhaseSettings, type TrainingPhase } from './phases';
import type { RunControl } from './run-control';
import { beginRun, openRunFolder } from './run-folder';
import { writeRunPage } from './run-page';
import { otherVersions, type RunFacts, requireSameScans } from './run-record';
import type { OnSaveError } from './run-saver';
import { openScans, type Scan } from './scans';
import { ownSettings } from './settings';

export interface PhaseCall {
  phase: TrainingPhase;
  /** The directory of the checkpoint to start from. */
  model: string;
  /** The manifest. */
  data: string;
  /** The folder of all phases' runs. */
  out: string;
  cache: string;
  settings: PhaseSettings;
  device: string;
  dtype: string;
  resume: boolean;
  onSaveError: OnSaveError;
  addon: NativeAddon;
  /** The lock of `out`. */
  lock: FolderLock;
  control: RunControl;
  emit: Emit;
}

/** Trains one phase, or the rest of it. A phase that is done already only returns its result. */
export async function trainPhase(call: PhaseCall): Promise<TrainedPhase> {
  const { phase, data, addon, lock, control, emit, onSaveError } = call;
  const { signal } = control;
  const source = await readCheckpoint(call.model);
  await Promise.all([verifyBackbone('vision', source.vision), verifyBackbone('language', source.language)]);
  requireStart(phase, source);
  const settings = fitted(call.settings, source);
  const manifestSha256 = await digestFile(data, signal);
  const facts = await factsOf(call, source, settings, manifestSha256);
  const folder = await openRunFolder(join(call.out, phase), facts, call.resume);
  const { record } = folder;
  const onProgress: ObjectiveContext<ObjectiveSettings>['onProgress'] = (progress) => emit('progress', progress);
  const seen = await readTrainedOn(source);
  const wanted = { data, cache: call.cache, recipe: source.recipe, trainedOn: seen };
  const scans = await openScans(wanted, signal, onProgress);
  const all = [...scans.train, ...scans.val];
  if (record !== null) {
    requireSameScans(record, all, scans.skipped);
    const warning = otherVersions(record, facts);
    if (warning !== null) emit('warning', `${phase}: ${warning}`);
  }
  const finished = folder.saved?.progress.finished ?? null;
  if (folder.saved !== null && finished !== null) {
    await writeRunPage(folder.dir);
    return trainedPhase(phase, finished, folder.saved.progress, folder.states.best);
  }
  if (scans.skipped.length > 0)
    emit('warning', `${scans.skipped.length} scans are left out: the cache was made without them`);
  const tokenizer = await Tokenizer.load(source.language.dir, { signal });
  let native: NativeTrainer | null = null;
  try {
    const spec = specOf(call, source, settings);
    native = await callNative(addon, signal, (token) =>
      addon.createTrainer(spec, token, (stage, done, total) => onProgress({ stage, done, total })),
    );
    const info = native.info();
    requireVocabulary(tokenizer, info.vocabSize, (await readLanguageFamily(source.language.dir)).unusedRows);
    for (const warning of info.warnings) emit('warning', warning);
    const featuresDir = join(call.cache, 'features');
    const context = { addon, native, checkpoint: source, tokenizer, settings, scans, featuresDir, signal, onProgress };
    const objective = await OBJECTIVES[PHASE_DEFINITIONS[phase].objective].open(context);
    const salt = await beginRun(folder, facts, all);
    const adapterConfig = await adapterConfigOf(phase, source, settings, info);
    const { train, val } = scans;
    const shown = (own: readonly Scan[]) => own.map(({ shows }) => shows);
    const trainedOn = alsoTrainedOn(seen, { train: shown(train), val: shown(val) });
    const model = { addon, native, source, phase, seed: settings.seed, manifestSha256, trainedOn, adapterConfig };
    const { states, dir, saved } = folder;
    emit('phase', {
      phase,
      device: info.device,
      dtype: info.dtype,
      numParameters: countNumbers(info.parameters),
      trainScans: train.length,
      valScans: val.length,
      epochs: settings.epochs,
      stepsPerEpoch: objective.windows([...train.keys()]).length,
      resumedAt: saved?.progress.step ?? 0,
    });
    const sizes = await sizesOf(source, info);
    const run = { phase, dir, lock, settings, salt, sizes, onSaveError, addon, native, objective, train };
    const trained = await runPhase({ ...run, states, model, control, emit }, saved);
    await lock.require();
    await writeRunPage(dir);
    return trained;
  } finally {
    native?.dispose();
    await tokenizer.dispose();
  }
}

/** Returns the sizes of a saved state and a model on the disk, without headers. */
async function sizesOf({ dir }: Checkpoint, { parameters }: NativeTrainerInfo): Promise<Sizes> {
  const adapter = parameters.filter(({ group }) => group === 'lora');
  const { size } = await stat(join(dir, WEIGHTS_FILE));
  return { state: 12 * countNumbers(parameters), model: size + 4 * countNumbers(adapter) };
}

function countNumbers(parameters: NativeTrainerInfo['parameters']): number {
  return parameters.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
}

/** Refuses to train an earlier phase under an adapter, which belongs to the reports that it learned. */
function requireStart(phase: TrainingPhase, { hasAdapter, phase: from }: Checkpoint): void {
  if (!hasAdapter || PHASE_DEFINITIONS[phase].groups.includes('lora')) return;
  throw new Brain3DError(
    'BRAIN3D_CONFIG',
    `${phase}: expected a checkpoint without an adapter, got one of phase '${from}' with one; start from the one before it`,
    { file: ADAPTER_DIR },
  );
}

/** Adapts the settings to the recipe: depth positions train only where the recipe has them. */
function fitted(settings: PhaseSettings, { recipe }: Checkpoint): PhaseSettings {
  if (recipe.position === 'learned_depth_pretrained_spatial') return settings;
  const { depthPositions: _, ...learningRates } = settings.learningRates;
  return { ...settings, learningRates };
}

async function factsOf(
  { phase, device, dtype, control }: PhaseCall,
  source: Checkpoint,
  settings: PhaseSettings,
  manifestSha256: string,
): Promise<RunFacts> {
  const { brain3d, torch } = currentVersions();
  const digestIfThere = (file: string) => (existsSync(file) ? digestFile(file, control.signal) : null);
  const ofBackbone = async (dir: string) => combineDigests(await digestFiles(dir, control.signal));
  return {
    phase,
    versions: { brain3d, torch },
    settings: respell(ownSettings(phase, settings), toSnake) as Record<string, unknown>,
    device: device.replace(/:\d+$/, ''),
    dtype,
    manifest_sha256: manifestSha256,
    model: {
      weights_sha256: await digestFile(join(source.dir, WEIGHTS_FILE), control.signal),
      adapter_sha256: await digestIfThere(join(source.dir, ADAPTER_DIR, ADAPTER_WEIGHTS)),
      adapter_config_sha256: await digestIfThere(join(source.dir, ADAPTER_DIR, ADAPTER_CONFIG)),
      vision: await ofBackbone(source.vision.dir),
      language: await ofBackbone(source.language.dir),
      recipe: respell(source.recipe, toSnake) as Record<string, unknown>,
      prompt: source.prompt,
      eos_token_ids: source.eosTokenIds,
    },
  };
}

function specOf({ device, dtype, phase }: PhaseCall, source: Checkpoint, settings: PhaseSettings): NativeTrainerSpec {
  const isFresh = PHASE_DEFINITIONS[phase].groups.includes('lora') && !source.hasAdapter;
  const { rank, alpha, dropout, targetModules } = settings.lora;
  return {
    visionDir: source.vision.dir,
    languageDir: source.language.dir,
    weightsFile: join(source.dir, WEIGHTS_FILE),
    adapterDir: source.hasAdapter ? join(source.dir, ADAPTER_DIR) : '',
    recipe: source.recipe,
    device,
    dtype,
    trains: Object.keys(settings.learningRates).map((group) => PARAMETER_GROUPS[group as ParameterGroup]),
    lora: isFresh ? { rank, alpha, targetModules, seed: settings.seed } : null,
    loraDropout: dropout,
    optimizer: {
      beta1: settings.adamBeta1,
      beta2: settings.adamBeta2,
      epsilon: settings.adamEpsilon,
      weightDecay: settings.weightDecay,
    },
  };
}

async function adapterConfigOf(
  phase: TrainingPhase,
  source: Checkpoint,
  settings: PhaseSettings,
  info: NativeTrainerInfo,
): Promise<Record<string, unknown> | null> {
  if (!PHASE_DEFINITIONS[phase].groups.includes('lora')) return null;
  if (source.hasAdapter) return continuedAdapterConfig(source, settings.lora.dropout, adaptedModules(info));
  return newAdapterConfig(source.language.dir, settings.lora);
}

/**
 * Returns names such as `layers.0.self_attn.q_proj` for every branch that trains. They end alike in every class of
 * model.
 */
function adaptedModules({ parameters }: NativeTrainerInfo): string[] {
  const modules = parameters.flatMap(({ name }) => /^text\.(.+)\.lora_A\.weight$/.exec(name)?.[1] ?? []);
  return modules.sort();
}
