/**
 * The settings of training: their schema, and the order in which defaults, a configuration file and a caller's options
 * apply.
 */
import * as v from 'valibot';
import { Brain3DError } from '../base/errors';
import { is } from '../base/validate';
import { COMMON_DEFAULTS, commonEntries, loraEntries } from './common-settings';
import { OBJECTIVE_ENTRIES, OBJECTIVES } from './objectives/registry';
import { PARAMETER_GROUPS, type ParameterGroup } from './parameter-groups';
import {
  PHASE_DEFINITIONS,
  type PhaseDefinition,
  type PhaseSettings,
  TRAINING_PHASES,
  type TrainingPhase,
} from './phases';

const shared = {
  ...commonEntries,
  ...OBJECTIVE_ENTRIES,
  ...loraEntries,
};

/** The settings that every phase has. */
const COMMON_SETTINGS = [...Object.keys(COMMON_DEFAULTS), 'learningRates'] as (keyof PhaseSettings)[];

const rates = {
  patchEmbedding: v.optional(is.factor()),
  depthPositions: v.optional(is.factor()),
  projector: v.optional(is.factor()),
  visScale: v.optional(is.factor()),
  lora: v.optional(is.factor()),
} satisfies Record<ParameterGroup, unknown>;

/** The schema of a phase's own section: the settings that the phase has, and its learning rates. */
function section(phase: PhaseDefinition) {
  const own = [...COMMON_SETTINGS, ...phase.settings].filter((key) => key !== 'seed' && key !== 'learningRates');
  const entries = Object.fromEntries(own.map((key) => [key, shared[key as keyof typeof shared]])) as typeof shared;
  const trainable = Object.entries(rates).filter(([group]) => phase.groups.includes(group as ParameterGroup));
  return v.object({
    ...entries,
    /** The learning rates, which replace all of the default ones together. */
    learningRates: v.optional(v.object(Object.fromEntries(trainable) as Partial<typeof rates> as typeof rates)),
  });
}

/** The options of the trainer that are settings. A configuration file holds the same. */
export const settingsEntries = {
  ...shared,
  /** The settings for one phase only, which override the shared ones. */
  phases: v.optional(
    v.object({
      grounding: v.optional(section(PHASE_DEFINITIONS.grounding)),
      'projector-warmup': v.optional(section(PHASE_DEFINITIONS['projector-warmup'])),
      'lora-sft': v.optional(section(PHASE_DEFINITIONS['lora-sft'])),
    }),
  ),
};
export const SettingsSchema = v.object(settingsEntries);
/** Shared settings, and those of one phase under `phases`. */
export type TrainingConfig = v.InferInput<typeof SettingsSchema>;

/**
 * Returns the settings of one phase: its defaults, then each layer's shared settings, then that layer's section.
 * Undefined leaves the value before it; null replaces it.
 * @throws {Brain3DError} BRAIN3D_USAGE where they cannot be right together
 */
export function resolveSettings(name: TrainingPhase, layers: readonly TrainingConfig[]): PhaseSettings {
  const phase = PHASE_DEFINITIONS[name];
  let settings = phase.defaults;
  for (const { phases, ...layer } of layers) {
    settings = overlay(settings, layer);
    settings = overlay(settings, phases?.[name] ?? {});
  }
  check(phase, settings);
  return settings;
}

/** Returns only the settings that the phase has, in their listed order. */
export function ownSettings(name: TrainingPhase, settings: PhaseSettings): Partial<PhaseSettings> {
  const own: readonly (keyof PhaseSettings)[] = [...COMMON_SETTINGS, ...PHASE_DEFINITIONS[name].settings];
  return Object.fromEntries(own.map((key) => [key, settings[key]]));
}

/** Returns the phases that a call asks for. */
export function phasesOf(wanted: TrainingPhase | 'all'): readonly TrainingPhase[] {
  return wanted === 'all' ? TRAINING_PHASES : [wanted];
}

function overlay(settings: PhaseSettings, layer: object): PhaseSettings {
  const { lora, learningRates, ...rest } = layer as Partial<PhaseSettings>;
  return {
    ...settings,
    ...defined(rest),
    learningRates: learningRates === undefined ? settings.learningRates : defined(learningRates),
    lora: { ...settings.lora, ...defined(lora ?? {}) },
  };
}

function defined<T extends object>(object: T): T {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as T;
}

function check(phase: PhaseDefinition, settings: PhaseSettings): void {
  const fail = (field: string, message: string): never => {
    throw new Brain3DError('BRAIN3D_USAGE', `${phase.name}: ${message}`, { field });
  };
  const fault = OBJECTIVES[phase.objective].fault(settings);
  if (fault !== null) fail(fault.field, fault.message);
  const groups = Object.keys(settings.learningRates) as ParameterGroup[];
  if (groups.length === 0) fail('learningRates', `expected a learning rate for one of ${phase.groups.join(', ')}`);
  if (phase.groups.includes('lora') && settings.learningRates.lora === undefined)
    fail('learningRates.lora', 'expected a learning rate for lora; without it this is projector-warmup');
}

/** Returns the learning rates of the groups that train, by native name. */
export function nativeRates(settings: PhaseSettings, factor: number): Record<string, number> {
  const peaks = Object.entries(settings.learningRates) as [ParameterGroup, number][];
  return Object.fromEntries(peaks.map(([group, peak]) => [PARAMETER_GROUPS[group], peak * factor]));
}
