/** What can train, in named groups; each has a learning rate of its own. */
import type { NativeParameterGroup } from '../native/surface';

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
