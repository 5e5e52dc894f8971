/** The named groups of parameters that can train; each has a learning rate of its own. */
import type { NativeParameterGroup } from '../native/surface';

/** The native name of each group, by the name used in options. */
export const PARAMETER_GROUPS = {
  patchEmbedding: 'patch_embedding',
  depthPositions: 'depth_positions',
  projector: 'projector',
  visScale: 'vis_scale',
  lora: 'lora',
} as const satisfies Record<string, NativeParameterGroup>;
export type ParameterGroup = keyof typeof PARAMETER_GROUPS;

export type LearningRates = Partial<Record<ParameterGroup, number>>;
