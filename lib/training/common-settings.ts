/** Settings that do not belong to an objective: those of every phase, and the adapter's. */
import * as v from 'valibot';
import { FLOAT32, is } from '../base/validate';
import type { LearningRates } from './parameter-groups';

/** Settings that every phase has. */
export interface CommonSettings {
  /** Of the order, the dropout and a fresh adapter. */
  seed: number;
  epochs: number;
  /** Scans of a step; in grounding also the number of reports that each scan is told apart from. */
  batchSize: number;
  /** Scans that are computed at a time: memory, not mathematics. */
  microBatch: number;
  /** Keep only each block's input and compute the rest again in the backward pass. */
  recompute: boolean;
  /** Peak of each group that trains; a group that is not here is frozen. */
  learningRates: LearningRates;
  /** Of matrices and kernels. */
  weightDecay: number;
  adamBeta1: number;
  adamBeta2: number;
  adamEpsilon: number;
  /** 0 is off. */
  maxGradNorm: number;
  /** Of all steps. */
  warmupRatio: number;
  /** Instead of the ratio. */
  warmupSteps: number | null;
  /** Epochs without a better validation loss before training stops; 0 is off. */
  patience: number;
  /** A loss is better if it is lower by more than this. */
  minDelta: number;
  /** Steps between checkpoints within an epoch; 0: only at its end. */
  checkpointSteps: number;
}

export interface LoraSettings {
  rank: number;
  alpha: number;
  /** Of the adapter's input, in training only. */
  dropout: number;
  targetModules: string[];
}

const BIG = Number.MAX_SAFE_INTEGER;
const share = () => is.number(0, 1);
/** At 1 the moments would never move from 0, which the bias correction divides by 0. */
const decay = () => is.number(0, 0.9999999);
const nonNegative = () => is.number(0, FLOAT32.largest);

/** What they may be. */
export const commonEntries = {
  /** Of the order, the dropout and a fresh adapter. @default 0 */
  seed: v.optional(is.integer(0, BIG)),
  epochs: v.optional(is.integer(1, 1_000_000)),
  batchSize: v.optional(is.integer(1, 1_000_000)),
  microBatch: v.optional(is.integer(1, 1_000_000)),
  recompute: v.optional(is.flag()),
  weightDecay: v.optional(nonNegative()),
  adamBeta1: v.optional(decay()),
  adamBeta2: v.optional(decay()),
  adamEpsilon: v.optional(is.factor()),
  maxGradNorm: v.optional(nonNegative()),
  warmupRatio: v.optional(share()),
  warmupSteps: v.optional(v.nullable(is.integer(0, BIG))),
  patience: v.optional(is.integer(0, BIG)),
  minDelta: v.optional(nonNegative()),
  checkpointSteps: v.optional(is.integer(0, BIG)),
};

/** From the paper where it says, else as its authors' code or ours; which is which: docs/training.md. */
export const COMMON_DEFAULTS: Omit<CommonSettings, 'learningRates'> = {
  seed: 0,
  epochs: 100,
  batchSize: 128,
  microBatch: 8,
  recompute: false,
  weightDecay: 0.01,
  adamBeta1: 0.9,
  adamBeta2: 0.999,
  adamEpsilon: 1e-8,
  maxGradNorm: 1,
  warmupRatio: 0.05,
  warmupSteps: null,
  patience: 15,
  minDelta: 0,
  checkpointSteps: 0,
};

/** Settings of the phases that train an adapter. */
export const loraEntries = {
  lora: v.optional(
    v.object({
      rank: v.optional(is.integer(1, 4096)),
      alpha: v.optional(is.factor()),
      dropout: v.optional(is.number(0, 0.99)),
      targetModules: v.optional(
        v.pipe(
          v.array(is.text(), 'expected an array of names'),
          v.minLength(1, 'expected at least one name'),
          v.check((names) => names.every((name) => /^\w+$/.test(name)), 'expected names such as q_proj'),
        ),
      ),
    }),
  ),
};

export const LORA_DEFAULTS: LoraSettings = {
  rank: 16,
  alpha: 32,
  dropout: 0.05,
  targetModules: ['q_proj', 'k_proj', 'v_proj', 'o_proj'],
};
