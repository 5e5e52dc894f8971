/** Where the brain is: found natively, by a tool of the user's, or seen to be all there is. */
import * as v from 'valibot';
import { is } from '../base/validate';
import { callNative } from '../native/call';
import type { NativeAddon, NativeVolume, NativeVolumeInfo } from '../native/surface';
import { parseStripCommand, runStripCommand } from './strip-command';

/** Options of everything that preprocesses a volume. */
export const stripEntries = {
  /**
   * `auto` sees whether a volume is stripped already and strips a head with `bet`; `none` takes all of it, but for a
   * background that no scanner leaves (one value, brighter or far darker than the rest). @default 'auto'
   */
  skullStrip: v.optional(is.oneOf(['auto', 'none', 'bet', 'command'])),
  /** For `command`: program and arguments, with `{in}` and `{out}`; no shell. */
  skullStripCommand: v.optional(is.text()),
};
export interface StripOptions {
  skullStrip?: 'auto' | 'none' | 'bet' | 'command';
  skullStripCommand?: string;
}

/** What skull-stripping did to a volume. */
export interface SkullStrip {
  method: 'none' | 'already-stripped' | 'bet' | 'command';
  /** Of the mask; null where there is none. */
  brainVolumeMl: number | null;
  /** A sentence: what was done, and why. */
  summary: string;
  /** What a reader of a report should know. */
  warnings: string[];
}

export interface FoundBrain {
  /** What is no background; null where all of the volume is taken, which only the method `none` does. */
  mask: NativeVolume | null;
  skullStrip: SkullStrip;
}

/** No brain fits into less: a volume that `auto` leaves alone. */
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

/** The last brain found in a volume: a report and its picture need the same one, and a tool may take minutes. */
const lastFound = new WeakMap<NativeVolume, { key: string; found: FoundBrain }>();

/** @throws {Brain3DError} BRAIN3D_VOLUME if no brain is found, and what a command's failures are */
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
  // That a volume came stripped is how the model wants it; that it was stripped here is worth a look at the mask.
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

/** mm along (i, j, k). */
function fieldOfView({ shape, spacingMm }: NativeVolumeInfo): number[] {
  const [depth, height, width] = shape;
  return [width, height, depth].map((voxels, axis) => voxels * (spacingMm[axis] as number));
}
