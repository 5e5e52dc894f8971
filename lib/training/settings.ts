/** Settings of training: their schema, and how defaults, a configuration file and a caller's options are laid over. */
import * as v from 'valibot';
import { Brain3DError } from '../base/errors';
import { FLOAT32, is } from '../base/validate';
import {
  COMMON_SETTINGS,
  PARAMETER_GROUPS,
  type ParameterGroup,
  PHASE_DEFINITIONS,
  type PhaseDefinition,
  type PhaseSettings,
  TRAINING_PHASES,
  type TrainingPhase,
} from './phases';

const BIG = Number.MAX_SAFE_INTEGER;
const share = () => is.number(0, 1);
/** At 1 the moments would never move from 0, which the bias correction divides by 0. */
const decay = () => is.number(0, 0.9999999);
const nonNegative = () => is.number(0, FLOAT32.largest);

const shared = {
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
  /** Beyond these the logits of unit vectors overflow, or all are one. */
  temperature: v.optional(is.number(1e-4, 1e4)),
  visualEmbedding: v.optional(is.oneOf(['inference', 'peer'])),
  maxTextTokens: v.optional(v.nullable(is.integer(1, BIG))),
  maxReportTokens: v.optional(v.nullable(is.integer(1, BIG))),
  lossMean: v.optional(is.oneOf(['tokens', 'samples'])),
  logitRows: v.optional(is.integer(1, BIG)),
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

const rates = {
  patchEmbedding: v.optional(is.factor()),
  depthPositions: v.optional(is.factor()),
  projector: v.optional(is.factor()),
  visScale: v.optional(is.factor()),
  lora: v.optional(is.factor()),
} satisfies Record<ParameterGroup, unknown>;

/** What a phase's own section may hold: what the phase has, and its learning rates. */
function section(phase: PhaseDefinition) {
  const own = [...COMMON_SETTINGS, ...phase.settings].filter((key) => key !== 'seed' && key !== 'learningRates');
  const entries = Object.fromEntries(own.map((key) => [key, shared[key as keyof typeof shared]])) as typeof shared;
  const trainable = Object.entries(rates).filter(([group]) => phase.groups.includes(group as ParameterGroup));
  return v.object({
    ...entries,
    /** Instead of the default ones, all together. */
    learningRates: v.optional(v.object(Object.fromEntries(trainable) as Partial<typeof rates> as typeof rates)),
  });
}

/** Options of the trainer that are settings; the same as a configuration file holds. */
export const settingsEntries = {
  ...shared,
  /** For one phase only, over the shared ones. */
  phases: v.optional(
    v.object({
      grounding: v.optional(section(PHASE_DEFINITIONS.grounding)),
      'projector-warmup': v.optional(section(PHASE_DEFINITIONS['projector-warmup'])),
      'lora-sft': v.optional(section(PHASE_DEFINITIONS['lora-sft'])),
    }),
  ),
};
export const SettingsSchema = v.object(settingsEntries);
/** Shared settings, and under `phases` those of one phase. */
export type TrainingConfig = v.InferInput<typeof SettingsSchema>;

/**
 * The settings of one phase: its defaults, then each layer's shared settings, then that layer's section. Null and
 * undefined differ: undefined leaves what was there.
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

/** Only the settings that the phase has, in the order in which they are listed. */
export function ownSettings(name: TrainingPhase, settings: PhaseSettings): Partial<PhaseSettings> {
  const own: readonly (keyof PhaseSettings)[] = [...COMMON_SETTINGS, ...PHASE_DEFINITIONS[name].settings];
  return Object.fromEntries(own.map((key) => [key, settings[key]]));
}

/** Which phases a call asks for. */
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
  if (phase.objective === 'contrastive' && settings.batchSize < 2)
    fail('batchSize', 'expected a batch of at least 2 scans, got 1: alone, a scan has nothing to be told apart from');
  const groups = Object.keys(settings.learningRates) as ParameterGroup[];
  if (groups.length === 0) fail('learningRates', `expected a learning rate for one of ${phase.groups.join(', ')}`);
  if (phase.groups.includes('lora') && settings.learningRates.lora === undefined)
    fail('learningRates.lora', 'expected a learning rate for lora; without it this is projector-warmup');
}

/** Of the groups that train, by native name. */
export function nativeRates(settings: PhaseSettings, factor: number): Record<string, number> {
  const peaks = Object.entries(settings.learningRates) as [ParameterGroup, number][];
  return Object.fromEntries(peaks.map(([group, peak]) => [PARAMETER_GROUPS[group], peak * factor]));
}
