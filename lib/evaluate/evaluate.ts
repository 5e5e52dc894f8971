/**
 * Evaluates models: they generate reports for a split, the texts are scored beside controls, and tables and a page are
 * written.
 */
import { join } from 'node:path';
import { withCallerStack } from '../base/errors';
import { snakeCase } from '../base/key-case';
import { readJsonFile } from '../checkpoint/backbone';
import { writeFileAtomic } from '../files/atomic-file';
import { type FolderLock, withFolderLock } from '../files/folder-lock';
import { makeFolders } from '../files/folders';
import { defaultLayer } from '../metrics/bertscore';
import type { Pair } from '../metrics/pairs';
import { scoreByEncoder } from '../metrics/score';
import { type Cases, selectCases } from './cases';
import { casesCsv } from './cases-csv';
import { makeControls } from './controls';
import { generateModels } from './generate-models';
import { measureLesions } from './lesions';
import { drawMontages } from './montages';
import { type EvaluateOptions, parseEvaluateOptions } from './options';
import { evaluationPage } from './page';
import { assembleResults, type EvaluationResults, evaluationRow, type Row } from './results';
import { type RowTexts, scoreRowsInThread } from './score-rows';
import { makeSubgroups, traitsOf } from './subgroups';
import { tablesAsLatex, tablesAsMarkdown } from './table-files';
import { type OpenModel, openTextModel } from './text-model';

/**
 * Evaluates models on a split of a dataset and writes `results.json`, `cases.csv`, `table.md`, `table.tex` and
 * `report.html` into `out`. Texts are kept there as they are generated, so that a further call continues a stopped
 * evaluation.
 * @throws {Brain3DError} BRAIN3D_CONFIG if `out` holds texts of another checkpoint, dataset or setting, or the split is
 *   empty; BRAIN3D_USAGE if another process evaluates into `out`; the first failure if every generation of a model
 *   fails; as `Brain3D.load`, `readManifest`, `scoreTexts`
 */
export async function evaluate(options: EvaluateOptions): Promise<EvaluationResults> {
  const parsed = parseEvaluateOptions(options);
  return withCallerStack(evaluate, () => runEvaluation(parsed, openTextModel));
}

/** @internal Does the work of `evaluate` with any kind of model; options are checked already. */
export async function runEvaluation(options: EvaluateOptions, openModel: OpenModel): Promise<EvaluationResults> {
  await checkEncoder(options);
  const cases = await selectCases(options.data, options.split ?? 'test', options.signal);
  await makeFolders(options.out);
  const lost = new AbortController();
  const signal = options.signal === undefined ? lost.signal : AbortSignal.any([options.signal, lost.signal]);
  const evaluated = (lock: FolderLock) => evaluateCases(cases, { ...options, signal }, openModel, lock);
  return withFolderLock(options.out, evaluated, { onLost: (error) => lost.abort(error) });
}

async function evaluateCases(
  cases: Cases,
  options: EvaluateOptions,
  openModel: OpenModel,
  lock: FolderLock,
): Promise<EvaluationResults> {
  const { split = 'test', out, seed = 42, resamples = 1000, wordnet = null, signal, onProgress } = options;
  const { rows: models, volumes } = await generateModels(cases, options, openModel, lock);
  const controls = makeControls(cases.entries, cases.training, seed);
  const rows = [...models, ...controls.flatMap(({ texts, ...control }) => controlRow(control, texts))];

  const lesions = await measureLesions(cases.entries, options);
  const traits = cases.entries.map((entry) => traitsOf(entry, lesions.get(entry.id)));
  const subgroups = makeSubgroups(cases.entries, traits);
  onProgress?.({ stage: 'scoring', done: 0, total: 1 });
  const { texts, roberta } = await withBertscore(rows, cases.entries, options);
  const settings = { seed, resamples, wordnet, roberta };
  const scored = await scoreRowsInThread({ rows: texts, subgroups, settings }, signal);
  onProgress?.({ stage: 'scoring', done: 1, total: 1 });

  const ids = cases.entries.map(({ id }) => id);
  const results = assembleResults({
    manifest: cases.manifest,
    split,
    cases: ids.length,
    contaminated: rows.some(({ model }) => (model?.seen.train ?? 0) > 0),
    seed,
    resamples,
    rows: rows.map((row, r) => evaluationRow(row, at(scored.rows, r), ids)),
    missingControls: controls.flatMap(({ name, texts: made }) =>
      'unavailable' in made ? [{ name, reason: made.unavailable }] : [],
    ),
    subgroups,
    comparisons: scored.comparisons,
  });
  const columns = rows.map((row, r) => ({ row, columns: at(scored.rows, r).columns }));
  const pictures = await drawMontages(volumes, options);
  const page = evaluationPage({
    results,
    cases: cases.entries.map((entry, i) => ({ entry, traits: at(traits, i), picture: pictures.get(entry.id) ?? null })),
    rows: rows.map((row, r) => ({ row, means: at(scored.rows, r).means })),
  });
  const files: [name: string, text: string][] = [
    ['cases.csv', casesCsv(cases.entries, traits, columns)],
    ['table.md', tablesAsMarkdown(results)],
    ['table.tex', tablesAsLatex(results)],
    ['report.html', page],
    ['results.json', `${JSON.stringify(snakeCase(results), null, 2)}\n`],
  ];
  await lock.require();
  for (const [name, text] of files) await writeFileAtomic(join(out, name), text);
  return results;
}

/** Checks the encoder before hours of generation, since scoring needs it. */
async function checkEncoder({ roberta, bertscoreLayer }: EvaluateOptions): Promise<void> {
  if (roberta === undefined) return;
  const config = await readJsonFile(join(roberta, 'config.json'));
  if (bertscoreLayer === undefined) defaultLayer(config);
}

function controlRow(
  about: { name: string; description: string },
  texts: ReturnType<typeof makeControls>[number]['texts'],
): Row[] {
  if ('unavailable' in texts) return [];
  const made = texts.map((text) => ({ text, finishReason: 'eos' as const, newTokens: 0, error: null }));
  return [{ ...about, kind: 'control', model: null, runs: [{ seed: null, texts: made }] }];
}

/** Makes the pairs of all rows with their values of BERTScore. The encoder is loaded once for all rows. */
async function withBertscore(
  rows: readonly Row[],
  entries: Cases['entries'],
  options: EvaluateOptions,
): Promise<{ texts: RowTexts[]; roberta: Awaited<ReturnType<typeof scoreByEncoder>>['roberta'] }> {
  const { roberta, bertscoreLayer, device, signal } = options;
  const pairsOf = (texts: Row['runs'][number]['texts']): Pair[] =>
    entries.map(({ id, report, class: kind }, i) => ({
      id,
      reference: report,
      hypothesis: at(texts, i).text,
      class: kind,
    }));
  const paired = rows.map(({ name, runs }) => ({ name, runs: runs.map(({ texts }) => pairsOf(texts)) }));
  const all = paired.flatMap(({ runs }) => runs.flat());
  const encoder = await scoreByEncoder(all, { roberta, bertscoreLayer, device, signal });
  for (const warning of encoder.roberta?.warnings ?? []) options.onWarning?.(warning);
  let begin = 0;
  const next = (count: number) => {
    begin += count;
    return encoder.bertscore instanceof Float64Array
      ? encoder.bertscore.slice(begin - count, begin)
      : encoder.bertscore;
  };
  const texts = paired.map(({ name, runs }) => ({
    name,
    runs: runs.map((pairs) => ({ pairs, bertscore: next(pairs.length) })),
  }));
  return { texts, roberta: encoder.roberta };
}

function at<T>(items: readonly T[], index: number): T {
  return items[index] as T;
}
