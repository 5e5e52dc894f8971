/** Settings that do not belong to an objective: those of every phase, and the adapter's. */
import * as v from 'valibot';
import { FLOAT32, is } from '../base/validate';
import type { LearningRates } from './parameter-groups';

/** The settings that every phase has. */
export interface CommonSettings {
  /** The seed of the order of scans, of dropout and of a fresh adapter. */
  seed: number;
  epochs: number;
  /** The number of scans of a step; in grounding also the number of reports that each scan is told apart from. */
  batchSize: number;
  /** The number of scans computed at a time. It changes the memory needed, not the mathematics. */
  microBatch: number;
  /** Keeps only each block's input and computes the rest again in the backward pass. */
  recompute: boolean;
  /** The peak learning rate of each group that trains; a group without one is frozen. */
  learningRates: LearningRates;
  /** The weight decay of matrices and kernels. */
  weightDecay: number;
  adamBeta1: number;
  adamBeta2: number;
  adamEpsilon: number;
  /** The norm to which gradients are clipped; 0 turns clipping off. */
  maxGradNorm: number;
  /** The share of all steps that warm up. */
  warmupRatio: number;
  /** The number of warm-up steps, instead of the ratio. */
  warmupSteps: number | null;
  /** The number of epochs without a better validation loss before training stops; 0 turns early stopping off. */
  patience: number;
  /** A loss counts as better if it is lower by more than this. */
  minDelta: number;
  /** The number of steps between saved states within an epoch; 0 saves one only at its end. */
  saveSteps: number;
}

export interface LoraSettings {
  rank: number;
  alpha: number;
  /** The dropout of the adapter's input, in training only. */
  dropout: number;
  targetModules: string[];
}

const BIG = Number.MAX_SAFE_INTEGER;
const share = () => is.number(0, 1);
/** The upper limit is below 1: at 1 the moments would never move from 0, and the bias correction would divide by 0. */
const decay = () => is.number(0, 0.9999999);
const nonNegative = () => is.number(0, FLOAT32.largest);

/** The checks of the settings. */
export const commonEntries = {
  /** The seed of the order of scans, of dropout and of a fresh adapter. @default 0 */
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
  saveSteps: v.optional(is.integer(0, BIG)),
};

/**
 * Defaults from the paper where it gives them, otherwise from its authors' code or our own choice. docs/training.md
 * says which is which.
 */
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
  saveSteps: 0,
};

/** The settings of the phases that train an adapter. */
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
