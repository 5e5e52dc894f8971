/** The command `brain3d score`, which shows how likely the model finds a given report. */
import { readFile } from 'node:fs/promises';
import { addAbortSignal } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { Command } from 'commander';
import { DISCLAIMER } from '../base/disclaimer';
import { Brain3DError } from '../base/errors';
import type { LimitOptions } from '../volume/input-limits';
import { checkStripOptions } from '../volume/skull-strip';
import {
  addLimitOptions,
  addModelOptions,
  addStripOptions,
  addVolumeOptions,
  limitOptions,
  type ModelFlags,
  type StripFlags,
  stripOptions,
  type VolumeFlags,
  volumeOptions,
} from './options';
import { print, printJson } from './output';
import { about, nameOf, readInput, withModel } from './sources';

const EXAMPLES = `
Examples:
  brain3d score scan.nii.gz --model checkpoint --report report.txt
  echo 'There is no lesion.' | brain3d score scan.nii.gz --model checkpoint --report - --json`;

interface ScoreFlags extends ModelFlags, VolumeFlags, StripFlags, LimitOptions {
  report: string;
  json?: true;
}

export function addScore(program: Command, signal: AbortSignal): void {
  const command = program
    .command('score')
    .summary('how likely a given report is')
    .description(
      "Negative log-likelihoods (nats) of a report's tokens and the closing end-of-text, given the volume. White space " +
        'around the report does not count.',
    )
    .argument('<volume>', 'NIfTI file or DICOM folder')
    .requiredOption('--model <dir>', 'checkpoint directory')
    .requiredOption('--report <file>', 'text of the report; - is standard input');
  addLimitOptions(addStripOptions(addVolumeOptions(addModelOptions(command))))
    .option('--json', 'print token_ids, token_nlls and mean_nll as JSON')
    .addHelpText('after', EXAMPLES)
    .action((path: string, flags: ScoreFlags) => run(path, flags, signal));
}

async function run(path: string, flags: ScoreFlags, signal: AbortSignal): Promise<void> {
  const strip = stripOptions(flags);
  const limits = limitOptions(flags);
  checkStripOptions('score', strip); // before a large model loads
  const report = await readReport(flags.report, signal);
  const volume = await readInput(path, volumeOptions(flags, signal), limits);
  await withModel(flags, signal, async (model) => {
    const { prompt } = flags;
    const score = await about(nameOf(path), () => model.score(volume, report, { prompt, ...strip, ...limits, signal }));
    const { device, dtype } = model.info;
    if (flags.json) printJson({ ...score, device, dtype, researchUseOnly: true, disclaimer: DISCLAIMER });
    else print(`mean_nll ${score.meanNll.toFixed(4)} nats over ${score.tokenIds.length} tokens\n\n${DISCLAIMER}`);
  });
}

async function readReport(path: string, signal: AbortSignal): Promise<string> {
  const report = path === '-' ? await text(addAbortSignal(signal, process.stdin)) : await readReportFile(path, signal);
  if (report.trim() === '') throw new TypeError(`score: expected a report of at least one word in '${nameOf(path)}'`);
  return report.trim();
}

async function readReportFile(path: string, signal: AbortSignal): Promise<string> {
  try {
    return await readFile(path, { encoding: 'utf8', signal });
  } catch (cause) {
    signal.throwIfAborted();
    const name = nameOf(path);
    const { code } = cause as NodeJS.ErrnoException;
    throw new Brain3DError(code === 'ENOENT' ? 'BRAIN3D_NOT_FOUND' : 'BRAIN3D_IO', `cannot read '${name}' (${code})`, {
      file: name,
      cause,
    });
  }
}
