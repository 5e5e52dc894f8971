/**
 * Defines the phases of training as data: the parameters that each trains, its objective and its defaults. One loop
 * runs all of them.
 */
import type { Phase } from '../checkpoint/checkpoint';
import { COMMON_DEFAULTS, type CommonSettings, LORA_DEFAULTS, type LoraSettings } from './common-settings';
import { OBJECTIVE_DEFAULTS, OBJECTIVES, type ObjectiveName, type ObjectiveSettings } from './objectives/registry';
import type { ParameterGroup } from './parameter-groups';

export const TRAINING_PHASES = ['grounding', 'projector-warmup', 'lora-sft'] as const satisfies readonly Phase[];
export type TrainingPhase = (typeof TRAINING_PHASES)[number];

/** Every setting that a phase can have. `PhaseDefinition.settings` lists those that it has. */
export type PhaseSettings = CommonSettings & ObjectiveSettings & { lora: LoraSettings };

export interface PhaseDefinition {
  name: TrainingPhase;
  /** The paper's name of the phase. */
  paperName: string;
  objective: ObjectiveName;
  /** The groups that may train. All others are frozen whatever the settings say. */
  groups: readonly ParameterGroup[];
  /** The settings besides those that every phase has. */
  settings: readonly (keyof PhaseSettings)[];
  defaults: PhaseSettings;
}

const DEFAULTS: Omit<PhaseSettings, 'learningRates'> = {
  ...COMMON_DEFAULTS,
  ...OBJECTIVE_DEFAULTS,
  lora: LORA_DEFAULTS,
};

/** The names of an objective's own settings. */
const settingsOf = (name: ObjectiveName) => Object.keys(OBJECTIVES[name].defaults) as (keyof ObjectiveSettings)[];

export const PHASE_DEFINITIONS: Record<TrainingPhase, PhaseDefinition> = {
  grounding: {
    name: 'grounding',
    paperName: '1',
    objective: 'contrastive',
    // The gate does not train: normalisation cancels a positive factor, so its gradient is 0.   (differs from the
    // paper's list)
    groups: ['patchEmbedding', 'depthPositions', 'projector'],
    settings: settingsOf('contrastive'),
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
    settings: settingsOf('report'),
    defaults: { ...DEFAULTS, learningRates: { projector: 2e-4, visScale: 4e-4 } },
  },
  'lora-sft': {
    name: 'lora-sft',
    paperName: '2b',
    objective: 'report',
    groups: ['projector', 'visScale', 'lora'],
    settings: [...settingsOf('report'), 'lora'],
    defaults: { ...DEFAULTS, learningRates: { projector: 2e-4, lora: 5e-5 } },
  },
};
