/** The phases of training as data: what each trains, towards what, and its defaults. There is one loop for all of them. */
import type { Phase } from '../checkpoint/checkpoint';
import type { NativeParameterGroup } from '../native/surface';

export const TRAINING_PHASES = ['grounding', 'projector-warmup', 'lora-sft'] as const satisfies readonly Phase[];
export type TrainingPhase = (typeof TRAINING_PHASES)[number];

/** The native groups, as options spell them. */
export const PARAMETER_GROUPS = {
  patchEmbedding: 'patch_embedding',
  depthPositions: 'depth_positions',
  projector: 'projector',
  visScale: 'vis_scale',
  lora: 'lora',
} as const satisfies Record<string, NativeParameterGroup>;
export type ParameterGroup = keyof typeof PARAMETER_GROUPS;

export type LearningRates = Partial<Record<ParameterGroup, number>>;

export interface LoraSettings {
  rank: number;
  alpha: number;
  /** Of the adapter's input, in training only. */
  dropout: number;
  targetModules: string[];
}

export interface PhaseSettings {
  /** Of the order, the dropout and a fresh adapter. */
  seed: number;
  epochs: number;
  /** Scans of a step; in grounding also how many reports each scan is told apart from. */
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
  temperature: number;
  /** How a scan becomes one vector: as in inference, or as the paper's authors do in this phase. */
  visualEmbedding: 'inference' | 'peer';
  /** Tokens of a report that are embedded, `<bos>` included; null: all. */
  maxTextTokens: number | null;
  /** Tokens of a report that are learned; null: all. A report that is cut has no end-of-text. */
  maxReportTokens: number | null;
  lossMean: 'tokens' | 'samples';
  /** Rows of logits held at a time. */
  logitRows: number;
  lora: LoraSettings;
}

export interface PhaseDefinition {
  name: TrainingPhase;
  /** The paper's name. */
  paperName: string;
  objective: 'contrastive' | 'report';
  /** What may train; the rest is frozen whatever the settings say. */
  groups: readonly ParameterGroup[];
  /** Settings besides those that every phase has. */
  settings: readonly (keyof PhaseSettings)[];
  defaults: PhaseSettings;
}

/** Settings that every phase has. */
export const COMMON_SETTINGS = [
  'seed',
  'epochs',
  'batchSize',
  'microBatch',
  'recompute',
  'learningRates',
  'weightDecay',
  'adamBeta1',
  'adamBeta2',
  'adamEpsilon',
  'maxGradNorm',
  'warmupRatio',
  'warmupSteps',
  'patience',
  'minDelta',
  'checkpointSteps',
] as const satisfies readonly (keyof PhaseSettings)[];

/** From the paper where it says, else as its authors' code or ours; which is which: docs/training.md. */
const DEFAULTS: Omit<PhaseSettings, 'learningRates'> = {
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
  temperature: 0.07,
  visualEmbedding: 'inference',
  maxTextTokens: null,
  maxReportTokens: null,
  lossMean: 'tokens',
  logitRows: 256,
  lora: { rank: 16, alpha: 32, dropout: 0.05, targetModules: ['q_proj', 'k_proj', 'v_proj', 'o_proj'] },
};

const REPORT_SETTINGS = ['maxReportTokens', 'lossMean', 'logitRows'] as const;

export const PHASE_DEFINITIONS: Record<TrainingPhase, PhaseDefinition> = {
  grounding: {
    name: 'grounding',
    paperName: '1',
    objective: 'contrastive',
    // Not the gate: normalisation cancels a positive factor, so its gradient is 0.   (differs from the paper's list)
    groups: ['patchEmbedding', 'depthPositions', 'projector'],
    settings: ['temperature', 'visualEmbedding', 'maxTextTokens'],
    defaults: {
      ...DEFAULTS,
      // The gradient goes back through all frozen blocks of the encoder, over thousands of tokens.
      microBatch: 4,
      recompute: true,
      learningRates: { patchEmbedding: 1e-4, depthPositions: 1e-4, projector: 5e-4 },
    },
  },
  'projector-warmup': {
    name: 'projector-warmup',
    paperName: '2a',
    objective: 'report',
    groups: ['projector', 'visScale'],
    settings: REPORT_SETTINGS,
    defaults: { ...DEFAULTS, learningRates: { projector: 2e-4, visScale: 4e-4 } },
  },
  'lora-sft': {
    name: 'lora-sft',
    paperName: '2b',
    objective: 'report',
    groups: ['projector', 'visScale', 'lora'],
    settings: [...REPORT_SETTINGS, 'lora'],
    defaults: { ...DEFAULTS, learningRates: { projector: 2e-4, lora: 5e-5 } },
  },
};
