/**
 * Finds the brain in a volume: natively, with a tool of the user's, or by seeing that the volume holds nothing else.
 */
import * as v from 'valibot';
import { is } from '../base/validate';
import { callNative } from '../native/call';
import type { NativeAddon, NativeVolume, NativeVolumeInfo } from '../native/surface';
import { parseStripCommand, runStripCommand } from './strip-command';

/** The skull-stripping options of every function that preprocesses a volume. */
export const stripEntries = {
  /**
   * `auto` sees whether a volume is stripped already and strips a head with `bet`. `none` keeps the whole volume except
   * a background that no scanner leaves (one value, brighter or far darker than the rest). @default 'auto'
   */
  skullStrip: v.optional(is.oneOf(['auto', 'none', 'bet', 'command'])),
  /** The program and its arguments for `command`, with `{in}` and `{out}`. No shell runs it. */
  skullStripCommand: v.optional(is.text()),
};
export interface StripOptions {
  skullStrip?: 'auto' | 'none' | 'bet' | 'command';
  skullStripCommand?: string;
}

/** The result of skull-stripping a volume. */
export interface SkullStrip {
  method: 'none' | 'already-stripped' | 'bet' | 'command';
  /** The volume of the mask in ml; null where there is no mask. */
  brainVolumeMl: number | null;
  /** A sentence that says what was done, and why. */
  summary: string;
  /** The warnings that a reader of a report should know. */
  warnings: string[];
}

export interface FoundBrain {
  /**
   * The mask of the voxels that are not background; null where the whole volume is kept, which only the method `none`
   * does.
   */
  mask: NativeVolume | null;
  skullStrip: SkullStrip;
}

/** The smallest field of view that can hold a head, in mm along every axis. `auto` leaves a smaller volume alone. */
const MIN_HEAD_MM = 60;

export function mayHoldHead(info: NativeVolumeInfo): boolean {
  return Math.min(...fieldOfView(info)) >= MIN_HEAD_MM;
}

/** @throws {TypeError} if the command is missing or not asked for; {RangeError} if it lacks `{in}` or `{out}` */
export function checkStripOptions(where: string, { skullStrip, skullStripCommand }: StripOptions): void {
  if (skullStrip === 'command' && skullStripCommand === undefined)
    throw new TypeError(`${where}: expected skullStripCommand (--skull-strip-command) with skullStrip 'command'`);
  if (skullStripCommand === undefined) return;
  if (skullStrip !== 'command')
    throw new TypeError(`${where}: skullStripCommand (--skull-strip-command) needs skullStrip 'command'`);
  try {
    parseStripCommand(skullStripCommand);
  } catch (error) {
    throw new RangeError(`${where}: ${(error as Error).message} for skullStripCommand`);
  }
}

/** The last brain found in each volume. A report and its picture need the same one, and a tool may take minutes. */
const lastFound = new WeakMap<NativeVolume, { key: string; found: FoundBrain }>();

/** @throws {Brain3DError} BRAIN3D_VOLUME if no brain is found, and the errors of a command */
export async function findBrain(
  addon: NativeAddon,
  volume: NativeVolume,
  { skullStrip = 'auto', skullStripCommand }: StripOptions,
  signal: AbortSignal | undefined,
): Promise<FoundBrain> {
  const key = JSON.stringify([skullStrip, skullStripCommand]);
  const last = lastFound.get(volume);
  if (last?.key === key) return last.found;
  const found = await lookForBrain(addon, volume, { skullStrip, skullStripCommand }, signal);
  lastFound.set(volume, { key, found });
  return found;
}

async function lookForBrain(
  addon: NativeAddon,
  volume: NativeVolume,
  { skullStrip, skullStripCommand }: StripOptions & Required<Pick<StripOptions, 'skullStrip'>>,
  signal: AbortSignal | undefined,
): Promise<FoundBrain> {
  const native = (method: 'none' | 'auto' | 'bet') =>
    callNative(addon, signal, (token) => addon.brainMask(volume, method, token));
  const untouched = async (summary: string, warnings: string[]): Promise<FoundBrain> => {
    const { mask } = await native('none');
    return { mask, skullStrip: { method: 'none', brainVolumeMl: null, summary, warnings } };
  };
  if (skullStrip === 'none') return untouched('skull strip: none was asked for', []);
  if (skullStrip === 'auto') {
    const info = volume.info();
    if (!mayHoldHead(info)) {
      const field = fieldOfView(info).map(Math.round).join(' x ');
      const summary = `skull strip: left as it is; a field of view of ${field} mm holds no head`;
      return untouched(summary, [summary]);
    }
  }
  const found =
    skullStrip === 'command'
      ? await fromCommand(addon, volume, skullStripCommand as string, signal)
      : await native(skullStrip);
  const { mask, method, brainVolumeMl, reason } = found;
  const litres = `${(brainVolumeMl / 1000).toFixed(2)} l`;
  const why = reason === '' ? '' : ` (${reason})`;
  const summary =
    method === 'already-stripped'
      ? `skull strip: already stripped${why}`
      : `skull strip: stripped with ${method}, brain volume ${litres}${why}`;
  // A volume that came stripped is what the model wants. One that was stripped here is worth a look at the mask.
  const warnings = [...(method === 'already-stripped' ? [] : [summary]), ...found.warnings];
  return { mask, skullStrip: { method, brainVolumeMl, summary, warnings } };
}

async function fromCommand(
  addon: NativeAddon,
  volume: NativeVolume,
  command: string,
  signal: AbortSignal | undefined,
): ReturnType<NativeAddon['maskFromTool']> {
  const output = await runStripCommand(addon, volume, command, signal);
  return callNative(addon, signal, (token) => addon.maskFromTool(volume, output, token));
}

/** The field of view in mm along (i, j, k). */
function fieldOfView({ shape, spacingMm }: NativeVolumeInfo): number[] {
  const [depth, height, width] = shape;
  return [width, height, depth].map((voxels, axis) => voxels * (spacingMm[axis] as number));
}
