/** The interface of an objective, through which a phase asks the native trainer for a step and a validation. */

import type * as v from 'valibot';
import { Brain3DError } from '../base/errors';
import type { OnProgress } from '../base/progress';
import type { Checkpoint } from '../checkpoint/checkpoint';
import { callNative } from '../native/call';
import type { NativeAddon, NativeStepResult, NativeTrainer, NativeUpdate } from '../native/surface';
import type { Tokenizer } from '../tokenizer/tokenizer';
import type { CommonSettings } from './common-settings';
import { named } from './named';
import type { Scan, Scans } from './scans';

/** The context in which an objective with the settings `Own` is opened. */
export interface ObjectiveContext<Own = unknown> {
  addon: NativeAddon;
  native: NativeTrainer;
  checkpoint: Checkpoint;
  tokenizer: Tokenizer;
  settings: CommonSettings & Own;
  scans: Scans;
  /** The folder of the cached features. */
  featuresDir: string;
  signal: AbortSignal;
  onProgress: OnProgress;
}

/** A kind of objective: its settings and the function that opens one. objectives/registry.ts lists all kinds. */
export interface ObjectiveKind<Own> {
  /** The checks of its own settings, each optional. */
  entries: { [Name in keyof Own]: v.GenericSchema<Own[Name] | undefined> };
  defaults: Own;
  /** The reason why these settings cannot train, as an expectation about one of them; null if they can. */
  fault(settings: CommonSettings & Own): { field: string; message: string } | null;
  /** Computes what stays the same over the whole run. */
  open(context: ObjectiveContext<Own>): Promise<Objective>;
}

export interface Objective {
  /**
   * Divides an epoch, whose scans come in the order `order`, into steps. Each step lists indices into the training
   * scans.
   */
  windows(order: readonly number[]): number[][];
  /** Makes one update. `indices` are indices into the training scans. */
  step(indices: readonly number[], update: NativeUpdate): Promise<NativeStepResult>;
  /** Returns the loss over the whole validation split. */
  validate(): Promise<number>;
  /**
   * The number of tokens that went through the model in a step: patches in grounding, otherwise words with their
   * padding.
   */
  numTokens(result: NativeStepResult, batch: number): number;
}

/** Calls the native trainer. An error that names an item of the batch is given that scan's id. */
export async function callForScans<T>(
  { addon, signal }: ObjectiveContext,
  scans: readonly Scan[],
  call: Parameters<typeof callNative<T>>[2],
): Promise<T> {
  try {
    return await callNative(addon, signal, call);
  } catch (error) {
    const place = Brain3DError.isInstance(error)
      ? /^(?:volumes|samples)\[(\d+)\]/.exec(error.field ?? '')?.[1]
      : undefined;
    const scan = place === undefined ? undefined : scans[Number(place)];
    throw scan === undefined ? error : named(error, scan.id);
  }
}

export function itemsAt<T>(items: readonly T[], indices: readonly number[]): T[] {
  return indices.map((index) => items[index] as T);
}

/** @throws {Brain3DError} BRAIN3D_CONFIG if `length` tokens are more than the language model takes */
export function requireLength(scan: Scan, length: number, most: number): void {
  if (length <= most) return;
  throw new Brain3DError(
    'BRAIN3D_CONFIG',
    `${scan.id}: expected at most ${most} tokens, got ${length}; cut reports with max_report_tokens or max_text_tokens`,
    { field: 'report' },
  );
}
