/** The command `brain3d inspect`, which tells what a path holds. */
import type { Command } from 'commander';
import type { Checkpoint } from '../checkpoint/checkpoint';
import { type Inspection, inspect } from '../inspect/inspect';
import type { NativeBackboneInfo } from '../native/surface';
import type { VolumeInfo } from '../volume/volume';
import { addVolumeOptions, type VolumeFlags, volumeOptions } from './options';
import { printJson, printTable, styled } from './output';

type Rows = [label: string, value: string][];

export function addInspect(program: Command, signal: AbortSignal): void {
  const command = program
    .command('inspect')
    .summary('what a volume, checkpoint or backbone is')
    .description('Says what a volume, a checkpoint directory or a backbone directory is, and what is wrong with it.')
    .argument('<path>', 'NIfTI file, DICOM folder, checkpoint or backbone directory');
  addVolumeOptions(command)
    .option('--json', 'print one JSON document')
    .addHelpText('after', '\nExamples:\n  brain3d inspect scan.nii.gz\n  brain3d inspect checkpoint --json')
    .action(async (path: string, flags: VolumeFlags & { json?: true }) => {
      const inspection = await inspect(path, volumeOptions(flags, signal));
      if (flags.json) printJson(inspection);
      else printTable(describe(inspection));
    });
}

function describe(inspection: Inspection): Rows {
  switch (inspection.kind) {
    case 'volume':
      return [['volume', `${inspection.name} (${inspection.source})`], ...describeVolume(inspection.volume)];
    case 'checkpoint':
      return [['checkpoint', inspection.name], ...describeCheckpoint(inspection.checkpoint, inspection.problems)];
    case 'backbone':
      return [['backbone', inspection.name], ...describeBackbone(inspection.backbone)];
  }
}

function describeVolume(info: VolumeInfo): Rows {
  const [depth, height, width] = info.shape;
  const oblique = info.obliqueDegrees === 0 ? '' : `, oblique by ${info.obliqueDegrees.toFixed(1)} degrees`;
  return [
    ['voxels', `${width} x ${height} x ${depth} (i, j, k), ${info.datatype}`],
    ['spacing', `${info.spacingMm.map((mm) => Number(mm.toFixed(4))).join(' x ')} mm`],
    ['orientation', `${info.orientation}${oblique}, from ${info.affineSource}`],
    ...info.warnings.map((warning): [string, string] => ['warning', warning]),
  ];
}

function describeCheckpoint(checkpoint: Checkpoint, problems: string[]): Rows {
  const { recipe, phase, vision, language, hasAdapter, prompt, provenance } = checkpoint;
  return [
    ['phase', phase],
    ['recipe', `${recipe.name}, compression ${recipe.compression} to ${recipe.numVisualTokens} tokens`],
    ['volumes', recipe.volumeSize.join(' x ')],
    ['vision', `${vision.dir} (${vision.fingerprint.slice(0, 12)})`],
    ['language', `${language.dir} (${language.fingerprint.slice(0, 12)})`],
    ['adapter', hasAdapter ? 'yes' : 'no'],
    ['prompt', JSON.stringify(prompt)],
    ...Object.entries(provenance).map(([key, value]): [string, string] => [key, String(value)]),
    ...problems.map((problem): [string, string] => [styled('red', 'problem'), problem]),
  ];
}

function describeBackbone(info: NativeBackboneInfo): Rows {
  return [
    ['type', info.modelType],
    ['parameters', info.parameters.toLocaleString('en')],
    ['weights', info.weightFiles.join(', ')],
    ...Object.entries(info.config).map(([key, value]): [string, string] => [key, String(value)]),
  ];
}
