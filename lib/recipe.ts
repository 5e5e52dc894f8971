/** The named recipes: what distinguishes the paper's model from what its authors' code computes. */
import type { NativeRecipe } from './native';

export const RECIPES = ['paper', 'braingemma3d'] as const;
export type RecipeName = (typeof RECIPES)[number];

export const COMPRESSIONS = ['sequence', 'grid'] as const;
export type CompressionName = (typeof COMPRESSIONS)[number];

export interface Recipe extends NativeRecipe {
  name: RecipeName;
  lowerPercentile: number;
  upperPercentile: number;
}

/** Geometry both recipes share: 64 x 128 x 128 voxels, depth kernel 2 with zero padding 1, 32 visual tokens. */
const GEOMETRY = {
  compression: 'sequence',
  numVisualTokens: 32,
  compressionGrid: [8, 2, 2] as [number, number, number],
  depthKernel: 2,
  depthStride: 1,
  depthPadding: 1,
  volumeSize: [64, 128, 128] as [number, number, number],
  lowerPercentile: 1,
  upperPercentile: 99,
};

const SETTINGS: Record<RecipeName, { channelCollapse: string; position: string; prompt: string }> = {
  paper: {
    channelCollapse: 'sum',
    position: 'learned_depth_pretrained_spatial',
    prompt: 'Generate a radiology report for this brain MRI FLAIR scan',
  },
  braingemma3d: {
    channelCollapse: 'mean',
    position: 'linear',
    // Byte for byte what the authors trained with, the trailing space and newline included.
    prompt: 'Generate a radiology report for this brain MRI FLAIR scan. \n',
  },
};

/** What a new checkpoint may have otherwise than its recipe. */
export interface RecipeGeometry {
  compression?: CompressionName | undefined;
  depthKernel?: number | undefined;
  depthStride?: number | undefined;
  depthPadding?: number | undefined;
  /** (D, H, W) */
  volumeSize?: [number, number, number] | undefined;
}

/** The settings behind a recipe's name. */
export function makeRecipe(name: RecipeName, geometry: RecipeGeometry = {}): Recipe {
  const { channelCollapse, position } = SETTINGS[name];
  const given = Object.fromEntries(Object.entries(geometry).filter(([, value]) => value !== undefined));
  return { ...GEOMETRY, ...given, name, channelCollapse, position };
}

/** The prompt a recipe was trained with. */
export function recipePrompt(name: RecipeName): string {
  return SETTINGS[name].prompt;
}
