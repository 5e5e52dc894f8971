/** The command `brain3d dataset`, for manifests of scans with their reports. */
import { type Command, Option } from 'commander';
import { buildDataset, LATERALITY_RULES } from '../dataset/build';
import { checkDataset, type Finding } from '../dataset/check';
import { type Composition, compositionTable } from '../dataset/composition';
import { MODALITIES } from '../dataset/manifest';
import { showDataset } from '../dataset/show';
import { integer, onErrorOption, pathEndingIn, workersOption } from './options';
import { note, print, printJson, styled } from './output';
import { withProgress } from './progress';

const BUILD_EXAMPLE = `
Example:
  brain3d dataset build --brats brats --reports reports --healthy healthy --out manifest.jsonl`;

interface BuildFlags {
  brats?: string;
  reports?: string;
  healthy?: string;
  healthyModality?: (typeof MODALITIES)[number];
  out: string;
  seed?: number;
  laterality?: (typeof LATERALITY_RULES)[number];
  onError?: 'stop' | 'skip';
  json?: true;
}

export function addDataset(program: Command, signal: AbortSignal): void {
  const dataset = program
    .command('dataset')
    .summary('build, check and show datasets')
    .description('Datasets: a manifest of scans with their reports, one JSON object a line.');
  addBuild(dataset, signal);
  addCheck(dataset, signal);
  addShow(dataset, signal);
}

function addBuild(dataset: Command, signal: AbortSignal): void {
  dataset
    .command('build')
    .summary('make a manifest')
    .description('Makes a manifest from BraTS 2020 with TextBraTS, healthy controls in BIDS, or both, and splits it.')
    .option('--brats <dir>', 'BraTS 2020: folders such as BraTS20_Training_001')
    .option('--reports <dir>', 'TextBraTS: a folder for each subject, with its text')
    .option('--healthy <dir>', 'healthy controls in BIDS: folders such as sub-01')
    .addOption(new Option('--healthy-modality <name>', 'which of their images (default: FLAIR)').choices(MODALITIES))
    .requiredOption('--out <file>', 'manifest to write; must not exist', pathEndingIn('.jsonl'))
    .option('--seed <n>', 'of the split (default: 42)', integer)
    .addOption(new Option('--laterality <rule>', 'how sides are read (default: strict)').choices(LATERALITY_RULES))
    .addOption(onErrorOption('a subject that cannot be used'))
    .option('--json', 'print the composition and what was skipped as JSON')
    .addHelpText('after', BUILD_EXAMPLE)
    .action(async ({ json, ...flags }: BuildFlags) => {
      const problems: string[] = [];
      const built = await withProgress(({ update }) =>
        buildDataset({
          ...flags,
          signal,
          onProgress: update,
          onProblem: ({ id, message }) => problems.push(`${id}: ${message}`),
        }),
      ).finally(() => problems.forEach(note));
      const { composition, skipped, seed } = built;
      if (json) printJson({ composition, skipped, seed });
      else printComposition(composition);
      note(`wrote ${flags.out} (seed ${seed}${skipped.length === 0 ? '' : `, ${skipped.length} skipped`})`);
    });
}

function addCheck(dataset: Command, signal: AbortSignal): void {
  dataset
    .command('check')
    .summary('verify files, headers, reports and splits')
    .description('Reads every file of a manifest and says what is wrong. Status 1 if something is, but for warnings.')
    .argument('<manifest>', 'manifest (.jsonl)')
    .option('--json', 'print one JSON document')
    .addHelpText('after', '\nExample:\n  brain3d dataset check manifest.jsonl')
    .action(async (manifest: string, { json }: { json?: true }) => {
      const check = await withProgress(({ update }) => checkDataset(manifest, { signal, onProgress: update }));
      const errors = check.findings.filter(({ level }) => level === 'error').length;
      if (json) printJson(check);
      else {
        check.findings.forEach(printFinding);
        for (const { id, skipped } of check.skipped) print(`skipped  ${id}: ${skipped.reason}`);
        if (check.findings.length + check.skipped.length > 0) print('');
        printComposition(check.composition);
        print(`\n${errors} errors, ${check.findings.length - errors} warnings, ${check.skipped.length} skipped`);
      }
      if (errors > 0) process.exitCode = 1;
    });
}

function addShow(dataset: Command, signal: AbortSignal): void {
  dataset
    .command('show')
    .summary('an HTML page with a picture of every scan')
    .description('Writes index.html, to search and filter, and the montages of all scans beside it.')
    .argument('<manifest>', 'manifest (.jsonl)')
    .requiredOption('--out <dir>', 'folder to write into')
    .addOption(workersOption())
    .addOption(onErrorOption('a scan that cannot be drawn'))
    .addHelpText('after', '\nExample:\n  brain3d dataset show manifest.jsonl --out overview')
    .action(async (manifest: string, flags: { out: string; workers?: number; onError?: 'stop' | 'skip' }) => {
      const { page, withoutPicture } = await withProgress(({ update }) =>
        showDataset(manifest, { ...flags, signal, onProgress: update }),
      );
      for (const [id, reason] of withoutPicture) note(`no picture of ${id}: ${reason}`);
      note(`wrote ${page}`);
    });
}

function printComposition(composition: Composition): void {
  for (const line of compositionTable(composition)) print(line);
}

function printFinding({ level, id, message }: Finding): void {
  print(`${level === 'error' ? styled('red', 'error  ') : styled('yellow', 'warning')}  ${id}: ${message}`);
}
