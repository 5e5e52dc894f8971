/** `brain3d preprocess`: the volume as the model sees it. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { preprocess } from '../volume';
import { addVolumeOptions, pathEndingIn, type VolumeFlags, volumeOptions } from './options';
import { note } from './output';
import { about, nameOf, readVolume } from './sources';

const DESCRIPTION =
  'Writes the volume as the model sees it: canonical (RAS), padded to a square in plane, clipped at the 1st and 99th ' +
  'percentile to [0, 1], resized to 64 x 128 x 128.';

interface PreprocessFlags extends VolumeFlags {
  out: string;
}

export function addPreprocess(program: Command, signal: AbortSignal): void {
  const command = program
    .command('preprocess')
    .summary('write the volume as the model sees it')
    .description(DESCRIPTION)
    .argument('<volume>', 'NIfTI file or DICOM folder')
    .requiredOption('--out <file>', 'NIfTI file to write', pathEndingIn('.nii', '.nii.gz'));
  addVolumeOptions(command)
    .addHelpText('after', '\nExample:\n  brain3d preprocess scan.nii.gz --out scan.64x128x128.nii.gz')
    .action((path: string, flags: PreprocessFlags) => run(path, flags, signal));
}

async function run(path: string, flags: PreprocessFlags, signal: AbortSignal): Promise<void> {
  if (resolve(path) === resolve(flags.out))
    throw new RangeError(`preprocess: expected another file for --out, got the volume itself, '${nameOf(path)}'`);
  const volume = await readVolume(path, volumeOptions(flags, signal));
  const preprocessed = await about(nameOf(path), () => preprocess(volume, { signal }));
  await preprocessed.write(flags.out, { signal });
  for (const warning of volume.info.warnings) note(`warning: ${warning}`);
  note(`wrote ${flags.out}`);
}
