/** Generates every model's texts for every case and seed, on disk in `generations/`. */
import { join } from 'node:path';
import { toSnake } from '../base/key-case';
import { type CacheMaker, currentMaker, type PreprocessingSettings } from '../dataset/cache-entry';
import type { FolderLock } from '../files/folder-lock';
import { makeFolders } from '../files/folders';
import { DEFAULT_BATCH_SIZE } from '../model/decoding';
import type { Cases } from './cases';
import { requireApart, requireUnseen, rowName, type SeenCases } from './contamination';
import { collectTexts, generateCases, pendingCases, requireSomeText } from './generate-cases';
import { GenerationFile, type GenerationKey } from './generations';
import { fileStems, modelNames } from './model-names';
import { decodingSeeds, type EvaluateOptions } from './options';
import type { Row } from './results';
import type { CaseVolume, OpenModel, TextModel } from './text-model';
import { prepareVolumes, type StripRecipe, stripRecipe, type Volumes } from './volumes';

const FOLDER = 'generations';

interface ModelRun {
  name: string;
  seen: SeenCases;
  model: TextModel;
  volumes: Volumes;
  /** One file for each seed. */
  files: { seed: number; file: GenerationFile }[];
}

/**
 * Generates the texts that do not exist yet.
 * @param lock of `out`, without which nothing is written
 * @returns a row for each model, and the volumes of the first
 */
export async function generateModels(
  cases: Cases,
  options: EvaluateOptions,
  openModel: OpenModel,
  lock?: FolderLock,
): Promise<{ rows: Row[]; volumes: CaseVolume[] }> {
  const names = modelNames(options.models);
  const runs = await openRuns(names, cases, options, openModel);
  const ids = cases.entries.map(({ id }) => id);
  try {
    await generateAll(runs, options, lock);
    const rows = runs.map(({ name: plain, seen, model, volumes, files }): Row => {
      const { load: _, recipe: __, trainedOn: ___, ...about } = model;
      const name = rowName(plain, seen, ids.length);
      const texts = files.map(({ seed, file }) => ({
        seed: model.settings.greedy ? null : seed,
        texts: collectTexts(ids, file, volumes.unusable),
      }));
      for (const run of texts) requireSomeText(name, ids, run.texts);
      const seeds = texts.map(({ seed }) => seed);
      return { name, kind: 'model', description: null, model: { ...about, seeds, seen }, runs: texts };
    });
    warnOfFailures(rows, ids, options);
    return { rows, volumes: (runs[0] as ModelRun).volumes.usable };
  } finally {
    for (const { files } of runs) for (const { file } of files) await file.close();
  }
}

/** Opens everything before anything is generated, so that a conflict ends the run at once. */
async function openRuns(
  names: readonly string[],
  cases: Cases,
  options: EvaluateOptions,
  openModel: OpenModel,
): Promise<ModelRun[]> {
  const { out, cache = join(out, 'cache') } = options;
  const models: TextModel[] = [];
  for (const directory of options.models) models.push(await openModel(directory, options));
  requireDifferent(names, models);
  const strip = await stripRecipe(cache, options);
  const recipe = recipeOf(models[0] as TextModel, strip);
  const keys = await requireApart(cases.all, options.split ?? 'test', { dir: cache, recipe }, options);
  const seen = models.map((model, m) =>
    requireUnseen(names[m] as string, model.trainedOn, cases.entries, keys, options),
  );
  const maker = await currentMaker(recipe);
  await makeFolders(join(out, FOLDER));
  const stems = fileStems(names);
  const files: ModelRun['files'][] = [];
  for (const [m, model] of models.entries()) {
    const ofModel: ModelRun['files'] = [];
    for (const seed of decodingSeeds(options)) {
      const ending = model.settings.greedy ? 'greedy' : `seed-${seed}`;
      const path = join(out, FOLDER, `${stems[m]}.${ending}.jsonl`);
      ofModel.push({ seed, file: await GenerationFile.read(path, keyOf(model, cases, options, strip, maker, seed)) });
    }
    files.push(ofModel);
  }
  // Models of one recipe see the same volumes.
  const prepared = new Map<string, Volumes>();
  const runs: ModelRun[] = [];
  for (const [m, model] of models.entries()) {
    const own = recipeOf(model, strip);
    const label = JSON.stringify(own);
    const volumes = prepared.get(label) ?? (await prepareVolumes(cases.entries, cache, own, options));
    prepared.set(label, volumes);
    const about = { name: names[m] as string, seen: seen[m] as SeenCases };
    runs.push({ ...about, model, volumes, files: files[m] as ModelRun['files'] });
  }
  return runs;
}

/**
 * Refuses two rows of one model, which would be compared with each other. @throws {RangeError} naming two that are the
 * same
 */
function requireDifferent(names: readonly string[], models: readonly TextModel[]): void {
  const digests = models.map(({ checkpoint }) => checkpoint);
  const second = digests.findIndex((digest, m) => digests.indexOf(digest) !== m);
  if (second === -1) return;
  const first = names[digests.indexOf(digests[second] as string)];
  throw new RangeError(`evaluate: expected each model once, got '${first}' and '${names[second]}', which are the same`);
}

/** Returns the recipe by which a model's volumes are made. */
function recipeOf({ recipe }: TextModel, strip: StripRecipe): PreprocessingSettings {
  const { volumeSize: size, lowerPercentile, upperPercentile } = recipe;
  return { size, lowerPercentile, upperPercentile, ...strip };
}

/**
 * Returns the key of a model's texts. Differences are named in the order of its fields: the most important comes first.
 */
function keyOf(
  model: TextModel,
  { manifest }: Cases,
  { split = 'test' }: EvaluateOptions,
  strip: StripRecipe,
  maker: CacheMaker,
  seed: number,
): GenerationKey {
  const { checkpoint, prompt, settings, device, dtype } = model;
  // Greedy decoding ignores these settings, so they do not change the texts.
  const unused = settings.greedy ? ['temperature', 'topK', 'topP'] : [];
  const decoding = Object.entries(settings).filter(([name]) => !unused.includes(name));
  return {
    checkpoint,
    manifest: manifest.sha256,
    split,
    prompt,
    ...Object.fromEntries(decoding.map(([name, value]) => [toSnake(name), value])),
    ...(settings.greedy ? {} : { seed }),
    skull_strip: strip.skullStrip,
    skull_strip_command: strip.skullStripCommand,
    skull_strip_tool: maker.stripTool,
    device,
    dtype,
    brain3d: maker.brain3d,
    torch: maker.torch,
    preprocessing: maker.preprocessing,
  };
}

async function generateAll(
  runs: readonly ModelRun[],
  options: EvaluateOptions,
  lock: FolderLock | undefined,
): Promise<void> {
  const { batchSize = DEFAULT_BATCH_SIZE, signal, onProgress } = options;
  const total = runs.reduce((sum, { files, volumes }) => sum + files.length * volumes.usable.length, 0);
  let before = 0;
  for (const { model, volumes, files } of runs) {
    const cases = volumes.usable;
    const hasWork = files.some(({ file }) => pendingCases({ file, cases }).length > 0);
    const generator = hasWork ? await model.load() : null;
    try {
      for (const { seed, file } of files) {
        const onDone = (done: number) => onProgress?.({ stage: 'generations', done: before + done, total });
        if (generator === null) onDone(cases.length);
        else await generateCases({ file, lock, cases, seed, batchSize, signal, onDone }, generator);
        before += cases.length;
      }
    } finally {
      await generator?.dispose();
    }
  }
}

function warnOfFailures(rows: readonly Row[], ids: readonly string[], { onWarning }: EvaluateOptions): void {
  for (const { name, runs } of rows) {
    for (const { texts } of runs) {
      for (const [i, { error }] of texts.entries())
        if (error !== null) onWarning?.(`${name}: ${ids[i]} failed and counts as an empty text: ${error.message}`);
    }
  }
}
