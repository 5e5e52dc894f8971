/** `brain3d preprocess`: volumes as the model sees them. */
import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { preprocess } from '../volume';
import { addVolumeOptions, onErrorOption, type VolumeFlags, volumeOptions, workersOption } from './options';
import { note } from './output';
import { type PreprocessDatasetFlags, runPreprocessDataset } from './preprocess-dataset';
import { about, nameOf, readVolume } from './sources';

const DESCRIPTION =
  'Writes a volume, or all volumes of a dataset, as the model sees them: canonical (RAS), padded to a square in plane, ' +
  'clipped at the 1st and 99th percentile to [0, 1], resized to 64 x 128 x 128. A dataset goes into a cache; what is ' +
  'there already is kept.';

const EXAMPLES = `
Examples:
  brain3d preprocess scan.nii.gz --out scan.64x128x128.nii.gz
  brain3d preprocess --manifest manifest.jsonl --out cache`;

const VOLUME_FLAGS = ['orientation', 'volumeIndex', 'preferAffine'] as const;
const DATASET_FLAGS = ['workers', 'onError', 'prune'] as const;

interface PreprocessFlags extends VolumeFlags, Partial<PreprocessDatasetFlags> {
  out: string;
}

export function addPreprocess(program: Command, signal: AbortSignal): void {
  const command = program
    .command('preprocess')
    .summary('write volumes as the model sees them')
    .description(DESCRIPTION)
    .argument('[volume]', 'NIfTI file or DICOM folder')
    .requiredOption('--out <path>', 'NIfTI file to write; with --manifest the folder of the cache');
  addVolumeOptions(command)
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
  if (!/\.nii(\.gz)?$/.test(flags.out))
    throw new TypeError(
      `preprocess: expected a name that ends in .nii or .nii.gz for --out, got '${nameOf(flags.out)}'`,
    );
  if (resolve(path) === resolve(flags.out))
    throw new RangeError(`preprocess: expected another file for --out, got the volume itself, '${nameOf(path)}'`);
  const volume = await readVolume(path, volumeOptions(flags, signal));
  const preprocessed = await about(nameOf(path), () => preprocess(volume, { signal }));
  await preprocessed.write(flags.out, { signal });
  for (const warning of volume.info.warnings) note(`warning: ${warning}`);
  note(`wrote ${flags.out}`);
}
