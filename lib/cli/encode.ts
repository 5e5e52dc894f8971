/** The command `brain3d encode`, which shows a volume's way through the model, stage by stage. */
import type { Command } from 'commander';
import { writeTensors } from '../native/write-tensors';
import type { LimitOptions } from '../volume/input-limits';
import { checkStripOptions } from '../volume/skull-strip';
import {
  addLimitOptions,
  addModelOptions,
  addStripOptions,
  addVolumeOptions,
  limitOptions,
  type ModelFlags,
  pathEndingIn,
  type StripFlags,
  stripOptions,
  type VolumeFlags,
  volumeOptions,
} from './options';
import { note } from './output';
import { addForceOption, requireDistinct, requireNew } from './output-paths';
import { about, nameOf, readInput, withModel } from './sources';

interface EncodeFlags extends ModelFlags, VolumeFlags, StripFlags, LimitOptions {
  out: string;
  force?: true;
}

export function addEncode(program: Command, signal: AbortSignal): void {
  const command = program
    .command('encode')
    .summary("write a volume's tokens to a file")
    .description('Writes volume, patch_tokens, pooled_tokens and visual_tokens of a volume as float32 safetensors.')
    .argument('<volume>', 'NIfTI file or DICOM folder')
    .requiredOption('--model <dir>', 'checkpoint directory')
    .requiredOption('--out <file>', 'safetensors file to write', pathEndingIn('.safetensors'));
  addForceOption(addLimitOptions(addStripOptions(addVolumeOptions(addModelOptions(command)))))
    .addHelpText('after', '\nExample:\n  brain3d encode scan.nii.gz --model checkpoint --out scan.safetensors')
    .action((path: string, flags: EncodeFlags) => run(path, flags, signal));
}

async function run(path: string, flags: EncodeFlags, signal: AbortSignal): Promise<void> {
  requireDistinct('encode', { volume: path, '--out': flags.out });
  requireNew('encode', [flags.out], flags.force);
  const strip = stripOptions(flags);
  const limits = limitOptions(flags);
  checkStripOptions('encode', strip); // before a large model loads
  const volume = await readInput(path, volumeOptions(flags, signal), limits);
  await withModel(flags, signal, async (model) => {
    const { prompt } = flags;
    const encoding = await about(nameOf(path), () => model.encode(volume, { prompt, ...strip, ...limits, signal }));
    const { device, dtype } = model.info;
    const { name: recipe, compression } = model.checkpoint.recipe;
    const tensors = [
      { name: 'volume', ...encoding.volume },
      { name: 'patch_tokens', ...encoding.patchTokens },
      { name: 'pooled_tokens', ...encoding.pooledTokens },
      { name: 'visual_tokens', ...encoding.visualTokens },
    ];
    await writeTensors(flags.out, tensors, { device, dtype, recipe, compression }, signal);
  });
  note(`wrote ${flags.out}`);
}
