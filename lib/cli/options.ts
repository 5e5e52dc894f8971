/** Options that several commands share, and strict parsing of their values. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { LoadOptions } from '../model/model';
import { DEVICE, DTYPES } from '../native/device';
import type { LimitOptions } from '../volume/input-limits';
import type { StripOptions } from '../volume/skull-strip';
import type { LoadVolumeOptions } from '../volume/volume';

export interface VolumeFlags {
  orientation?: string;
  volumeIndex?: number;
  preferAffine?: 'sform' | 'qform';
}

export type StripFlags = StripOptions;

export interface ModelFlags {
  model: string;
  device?: string;
  dtype?: LoadOptions['dtype'];
  prompt?: string;
}

export function integer(text: string): number {
  const value = Number(text);
  if (!/^[+-]?\d+$/.test(text) || !Number.isSafeInteger(value)) throw new InvalidArgumentError('Expected an integer.');
  return value;
}

export function decimal(text: string): number {
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) throw new InvalidArgumentError('Expected a number.');
  return Number(text);
}

/** Parses (D, H, W), such as `64,128,128`. */
export function triple(text: string): [number, number, number] {
  if (!/^\d+,\d+,\d+$/.test(text)) throw new InvalidArgumentError('Expected three integers such as 64,128,128.');
  return text.split(',').map(Number) as [number, number, number];
}

/** Parses a path whose ending gives the format to write. */
export function pathEndingIn(...endings: string[]): (text: string) => string {
  return (text) => {
    if (endings.some((ending) => text.endsWith(ending))) return text;
    throw new InvalidArgumentError(`Expected a name that ends in ${endings.join(' or ')}.`);
  };
}

export function addVolumeOptions(command: Command): Command {
  return command
    .option('--orientation <codes>', 'axis codes such as RAS, for a file that does not say', orientation)
    .option('--volume-index <n>', 'which volume of a 4D file, from 0', integer)
    .addOption(
      new Option('--prefer-affine <name>', 'which to believe where they contradict each other').choices([
        'sform',
        'qform',
      ]),
    );
}

export function addStripOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--skull-strip <method>', 'auto strips a head and leaves a brain alone (default: auto)').choices([
        'auto',
        'none',
        'bet',
        'command',
      ]),
    )
    .option('--skull-strip-command <line>', 'program and arguments, with {in} and {out}; no shell');
}

export function addLimitOptions(command: Command): Command {
  return command
    .option('--allow-geometry', 'take a volume of few slices, few voxels or very unequal spacings')
    .option(
      '--allow-modality',
      'take an image that is no FLAIR image by its BIDS name, its sidecar or its DICOM headers',
    );
}

export function limitOptions({ allowGeometry, allowModality }: LimitOptions): LimitOptions {
  return { allowGeometry, allowModality };
}

export function stripOptions({ skullStrip, skullStripCommand }: StripFlags): StripOptions {
  return { skullStrip, skullStripCommand };
}

export function addModelOptions(command: Command): Command {
  return command
    .option('--device <name>', 'auto, cpu, cuda or cuda:N (default: auto)', device)
    .addOption(new Option('--dtype <name>', 'of the computation (default: auto)').choices(DTYPES))
    .option('--prompt <text>', 'instruction to the model (default: the one it was trained with)');
}

export function addSeed(command: Command, what: string): Command {
  return command.option('--seed <n>', `${what} (default: 0)`, integer);
}

export function workersOption(): Option {
  return new Option('--workers <n>', 'threads (default: as many as there are cores)').argParser(integer);
}

export function onErrorOption(what: string): Option {
  return new Option('--on-error <action>', `what ${what} does (default: stop)`).choices(['stop', 'skip']);
}

export function volumeOptions(flags: VolumeFlags, signal: AbortSignal): LoadVolumeOptions {
  const { orientation, volumeIndex, preferAffine } = flags;
  return { orientation, volumeIndex, preferAffine, signal };
}

function orientation(text: string): string {
  if (!/^[LRAPSI]{3}$/.test(text)) throw new InvalidArgumentError('Expected axis codes such as RAS or LPS.');
  return text;
}

export function device(text: string): string {
  if (!DEVICE.test(text)) throw new InvalidArgumentError('Expected auto, cpu, cuda or cuda:N.');
  return text;
}
