/** The command `brain3d report`, the main job: it writes reports for volumes. */
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type Command, Option } from 'commander';
import { DISCLAIMER } from '../base/disclaimer';
import { GENERATE_NAMES, type GenerateOptions, parseGenerateOptions } from '../model/decoding';
import { flagLines } from '../model/report';
import { type LimitOptions, requireGeometry, requireModality } from '../volume/input-limits';
import { inspectVolume, type LoadVolumeOptions } from '../volume/volume';
import { addDecodingOptions } from './decoding-options';
import {
  addLimitOptions,
  addModelOptions,
  addSeed,
  addStripOptions,
  addVolumeOptions,
  integer,
  type ModelFlags,
  type VolumeFlags,
  volumeOptions,
} from './options';
import { note, print, printJson } from './output';
import { addForceOption } from './output-paths';
import { ReportFolder, reportDocument } from './report-files';
import { batchReports, printText, streamReports } from './report-runs';
import { about, nameOf, readInput, withModel } from './sources';

const EXAMPLES = `
Examples:
  brain3d report scan.nii.gz --model checkpoint
  brain3d report scan.nii.gz --model checkpoint --stream --out results
  brain3d report *.nii.gz --model checkpoint --json > reports.json
  brain3d report dicom-folder --model checkpoint --greedy --device cuda:1

Without --model the demo model is used: tiny, trained on simulated scans, of no use for real ones.
${DISCLAIMER}`;

/** The demonstration model, which is tiny and trained on simulated scans alone. */
const DEMO_MODEL = join(__dirname, '..', '..', 'models', 'tiny', 'checkpoint');

interface ReportFlags extends Partial<ModelFlags>, VolumeFlags, Omit<GenerateOptions, 'prompt' | 'signal'> {
  stream?: true;
  json?: true;
  out?: string;
  force?: true;
}

export function addReport(program: Command, signal: AbortSignal): void {
  const command = program
    .command('report')
    .summary('write a report for each volume')
    .description('Writes a report for each volume: a NIfTI file (.nii, .nii.gz) or a folder of DICOM slices.')
    .argument('<volume...>', 'NIfTI files or DICOM folders')
    .option('--model <dir>', 'checkpoint directory (default: the demo model)');
  addDecodingOptions(addModelOptions(command));
  addSeed(command, 'same seed, same text').option('--batch-size <b>', 'volumes decoded together (default: 8)', integer);
  addForceOption(addLimitOptions(addStripOptions(addVolumeOptions(command))))
    .addOption(new Option('--stream', 'print the text as it is decoded').conflicts('json'))
    .option('--json', 'print one JSON document: an object, or an array for several volumes')
    .option('--out <dir>', 'also write NAME.report.json, NAME.report.txt and NAME.montage.png there')
    .addHelpText('after', EXAMPLES)
    .action((paths: string[], flags: ReportFlags) => run(paths, flags, signal));
}

async function run(paths: string[], flags: ReportFlags, signal: AbortSignal): Promise<void> {
  const given = GENERATE_NAMES.filter((name) => name in flags).map((name) => [name, flags[name as keyof ReportFlags]]);
  const options = parseGenerateOptions('report', Object.fromEntries(given));
  const model = flags.model ?? demoModel();
  const reading = volumeOptions(flags, signal);
  // A mistyped name should not cost the time in which a large model loads.
  for (const path of paths) await checkVolume(path, reading, options);
  const folder = flags.out === undefined ? null : await ReportFolder.make(flags.out, paths.map(nameOf), flags.force);
  const settings = { ...options, signal };
  const documents: unknown[] = [];
  await withModel({ ...flags, model }, signal, async (loaded, progress) => {
    const produce = flags.stream ? streamReports : batchReports;
    for await (const finished of produce({
      model: loaded,
      progress,
      paths,
      reading,
      options: settings,
    })) {
      const { name, report } = finished;
      if (flags.json) documents.push(reportDocument(report));
      else {
        if (!flags.stream) printText(report.text, paths.length > 1 ? name : null);
        for (const line of flagLines(report.flags)) print(`\n${line}`);
        print(`\n${DISCLAIMER}${paths.length > 1 ? '\n' : ''}`);
      }
      for (const warning of report.warnings) note(`warning: ${paths.length > 1 ? `${name}: ` : ''}${warning}`);
      for (const path of (await folder?.write(loaded, finished, settings)) ?? []) note(`wrote ${path}`);
    }
  });
  if (flags.json) printJson(paths.length === 1 ? documents[0] : documents);
}

function demoModel(): string {
  if (!existsSync(DEMO_MODEL))
    throw new TypeError('report: this installation has no demo model; give a checkpoint with --model DIR');
  note('no --model given: using the demo model, which is tiny and was trained on simulated scans');
  return DEMO_MODEL;
}

/**
 * Checks a NIfTI file by its header, and a folder of DICOM slices as a whole, because only that shows whether it is one
 * volume.
 */
async function checkVolume(path: string, reading: LoadVolumeOptions, limits: LimitOptions): Promise<void> {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) {
    await readInput(path, reading, limits);
    return;
  }
  await requireModality(path, limits);
  const info = await about(nameOf(path), () => inspectVolume(path, reading));
  requireGeometry(info, limits, nameOf(path));
}
