/** `brain3d preprocess`: the volume as the model sees it. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { Brain3DError } from '../errors';
import { checkStripOptions } from '../skull-strip';
import { stripAndPreprocess } from '../volume';
import {
  addStripOptions,
  addVolumeOptions,
  pathEndingIn,
  type StripFlags,
  stripOptions,
  type VolumeFlags,
  volumeOptions,
} from './options';
import { note } from './output';
import { about, nameOf, readVolume } from './sources';

const DESCRIPTION =
  'Writes the volume as the model sees it: without its skull, canonical (RAS), padded to a square in plane, clipped at the 1st and 99th ' +
  'percentile to [0, 1], resized to 64 x 128 x 128.';

const NIFTI = pathEndingIn('.nii', '.nii.gz');

interface PreprocessFlags extends VolumeFlags, StripFlags {
  out: string;
  maskOut?: string;
}

export function addPreprocess(program: Command, signal: AbortSignal): void {
  const command = program
    .command('preprocess')
    .summary('write the volume as the model sees it')
    .description(DESCRIPTION)
    .argument('<volume>', 'NIfTI file or DICOM folder')
    .requiredOption('--out <file>', 'NIfTI file to write', NIFTI);
  addStripOptions(addVolumeOptions(command))
    .option('--mask-out <file>', "also write the brain's mask there, on the volume's own grid", NIFTI)
    .addHelpText('after', '\nExample:\n  brain3d preprocess scan.nii.gz --out scan.64x128x128.nii.gz')
    .action((path: string, flags: PreprocessFlags) => run(path, flags, signal));
}

async function run(path: string, flags: PreprocessFlags, signal: AbortSignal): Promise<void> {
  const { out, maskOut } = flags;
  checkPaths({ volume: path, '--out': out, ...(maskOut === undefined ? {} : { '--mask-out': maskOut }) });
  const strip = stripOptions(flags);
  checkStripOptions('preprocess', strip);
  if (maskOut !== undefined && strip.skullStrip === 'none')
    throw new TypeError('preprocess: --mask-out needs a mask, and --skull-strip none makes none');
  const volume = await readVolume(path, volumeOptions(flags, signal));
  const made = await about(nameOf(path), () => stripAndPreprocess(volume, { ...strip, signal }));
  const skullStrip = made.volume.preprocessed?.skullStrip;
  if (maskOut !== undefined && made.mask === null)
    throw new Brain3DError(
      'BRAIN3D_VOLUME',
      `${nameOf(path)}: expected a brain for --mask-out; ${skullStrip?.summary}`,
    );
  await made.volume.write(out, { signal });
  if (maskOut !== undefined) await made.mask?.write(maskOut, { datatype: 'uint8', signal });
  if (skullStrip !== undefined) note(skullStrip.summary);
  for (const warning of [...volume.info.warnings, ...(skullStrip?.warnings ?? [])])
    if (warning !== skullStrip?.summary) note(`warning: ${warning}`);
  note(`wrote ${out}`);
  if (maskOut !== undefined) note(`wrote ${maskOut}`);
}

/** No two of them may be one file. */
function checkPaths(paths: Record<string, string>): void {
  const seen = new Map<string, string>();
  for (const [what, path] of Object.entries(paths)) {
    const other = seen.get(resolve(path));
    if (other === 'volume')
      throw new RangeError(`preprocess: expected another file for ${what}, got the volume itself, '${nameOf(path)}'`);
    if (other !== undefined)
      throw new RangeError(`preprocess: expected another file for ${what}, got that of ${other}, '${nameOf(path)}'`);
    seen.set(resolve(path), what);
  }
}
