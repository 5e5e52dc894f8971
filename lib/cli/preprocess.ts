/** The command `brain3d preprocess`, which writes volumes as the model sees them. */
import { type Command, Option } from 'commander';
import { Brain3DError } from '../base/errors';
import { checkStripOptions } from '../volume/skull-strip';
import { stripAndPreprocess } from '../volume/volume';
import {
  addStripOptions,
  addVolumeOptions,
  onErrorOption,
  pathEndingIn,
  type StripFlags,
  stripOptions,
  type VolumeFlags,
  volumeOptions,
  workersOption,
} from './options';
import { note } from './output';
import { addForceOption, requireDistinct, requireNew } from './output-paths';
import { type PreprocessDatasetFlags, runPreprocessDataset } from './preprocess-dataset';
import { about, nameOf, readVolume } from './sources';

const DESCRIPTION =
  'Writes a volume, or all volumes of a dataset, as the model sees them: without the skull, canonical (RAS), padded to a ' +
  'square in plane, clipped at the 1st and 99th percentile to [0, 1], resized to 64 x 128 x 128. A dataset goes into a ' +
  'cache; what is there already is kept.';

const EXAMPLES = `
Examples:
  brain3d preprocess scan.nii.gz --out scan.64x128x128.nii.gz
  brain3d preprocess --manifest manifest.jsonl --out cache`;

const NIFTI_ENDINGS = ['.nii', '.nii.gz'];
const VOLUME_FLAGS = ['orientation', 'volumeIndex', 'preferAffine', 'maskOut', 'force'] as const;
const DATASET_FLAGS = ['workers', 'onError', 'prune'] as const;

interface PreprocessFlags extends VolumeFlags, StripFlags, Partial<PreprocessDatasetFlags> {
  out: string;
  maskOut?: string;
  force?: true;
}

export function addPreprocess(program: Command, signal: AbortSignal): void {
  const command = program
    .command('preprocess')
    .summary('write volumes as the model sees them')
    .description(DESCRIPTION)
    .argument('[volume]', 'NIfTI file or DICOM folder')
    .requiredOption('--out <path>', 'NIfTI file to write; with --manifest the folder of the cache');
  addForceOption(addStripOptions(addVolumeOptions(command)))
    .option(
      '--mask-out <file>',
      "also write the brain's mask there, on the volume's own grid",
      pathEndingIn(...NIFTI_ENDINGS),
    )
    .addOption(new Option('--manifest <file>', 'all scans of a dataset instead of one volume'))
    .addOption(workersOption())
    .addOption(onErrorOption('a scan that cannot be preprocessed'))
    .option('--prune', 'remove entries of the cache that this manifest does not need')
    .addHelpText('after', EXAMPLES)
    .action((path: string | undefined, flags: PreprocessFlags) => {
      const { manifest } = flags;
      if ((path === undefined) === (manifest === undefined))
        throw new TypeError('preprocess: expected a volume or --manifest, and not both');
      refuseFlags(flags, path === undefined ? VOLUME_FLAGS : DATASET_FLAGS, path === undefined);
      if (manifest !== undefined) return runPreprocessDataset({ ...flags, manifest }, signal);
      return run(path as string, flags, signal);
    });
}

function refuseFlags(flags: PreprocessFlags, names: readonly (keyof PreprocessFlags)[], isDataset: boolean): void {
  const given = names.find((name) => flags[name] !== undefined);
  if (given === undefined) return;
  const option = `--${given.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
  throw new TypeError(
    isDataset
      ? `preprocess: ${option} is for one volume; the manifest says how a scan is read`
      : `preprocess: ${option} needs --manifest`,
  );
}

async function run(path: string, flags: PreprocessFlags, signal: AbortSignal): Promise<void> {
  const { out, maskOut } = flags;
  if (!NIFTI_ENDINGS.some((ending) => out.endsWith(ending)))
    throw new TypeError(
      `preprocess: expected a name that ends in ${NIFTI_ENDINGS.join(' or ')} for --out, got '${nameOf(out)}'`,
    );
  const outputs = { '--out': out, ...(maskOut === undefined ? {} : { '--mask-out': maskOut }) };
  requireDistinct('preprocess', { volume: path, ...outputs });
  const strip = stripOptions(flags);
  checkStripOptions('preprocess', strip);
  if (maskOut !== undefined && strip.skullStrip === 'none')
    throw new TypeError('preprocess: --mask-out needs a mask, and --skull-strip none makes none');
  requireNew('preprocess', Object.values(outputs), flags.force);
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
