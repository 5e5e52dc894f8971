/**
 * The named recipes: the paper's model, the model of its authors' code, and the 2D baseline that the paper argues
 * against.
 */
import type { NativeRecipe } from '../native/surface';

export const RECIPES = ['paper', 'braingemma3d', 'slices'] as const;
export type RecipeName = (typeof RECIPES)[number];

export const COMPRESSIONS = ['sequence', 'grid'] as const;
export type CompressionName = (typeof COMPRESSIONS)[number];

export interface Recipe extends NativeRecipe {
  name: RecipeName;
  lowerPercentile: number;
  upperPercentile: number;
}

/** The initial values of a new checkpoint's patch embedding. */
export const PATCH_EMBEDDINGS = ['inflated', 'random'] as const;
export type PatchEmbedding = (typeof PATCH_EMBEDDINGS)[number];

/** The geometry of both 3D recipes: 64 x 128 x 128 voxels, depth kernel 2 with zero padding 1, 32 visual tokens. */
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

interface Settings {
  channelCollapse: string;
  position: string;
  attention: string;
}

const SETTINGS: Record<RecipeName, Settings & Partial<typeof GEOMETRY>> = {
  paper: { channelCollapse: 'sum', position: 'learned_depth_pretrained_spatial', attention: 'volume' },
  braingemma3d: { channelCollapse: 'mean', position: 'linear', attention: 'volume' },
  // A picture is one plane, and its averaged tokens lie in one plane as well.
  slices: {
    channelCollapse: 'sum',
    position: 'pretrained_spatial',
    attention: 'slice',
    depthKernel: 1,
    depthPadding: 0,
    compressionGrid: [1, 8, 4],
  },
};

const PAPER_PROMPT = 'Generate a radiology report for this brain MRI FLAIR scan';
const PROMPTS: Record<RecipeName, string> = {
  paper: PAPER_PROMPT,
  // This is the authors' training prompt byte for byte, with the trailing space and newline.
  braingemma3d: `${PAPER_PROMPT}. \n`,
  slices: PAPER_PROMPT,
};

/** The geometry that a new checkpoint may change in its recipe. */
export interface RecipeGeometry {
  compression?: CompressionName | undefined;
  depthKernel?: number | undefined;
  depthStride?: number | undefined;
  depthPadding?: number | undefined;
  /** (D, H, W) */
  volumeSize?: [number, number, number] | undefined;
}

/** Returns the settings of a named recipe. */
export function makeRecipe(name: RecipeName, geometry: RecipeGeometry = {}): Recipe {
  const given = Object.fromEntries(Object.entries(geometry).filter(([, value]) => value !== undefined));
  return { ...GEOMETRY, ...SETTINGS[name], ...given, name };
}

/** Returns the prompt a recipe was trained with. */
export function recipePrompt(name: RecipeName): string {
  return PROMPTS[name];
}
