/** The places and findings that clinical scores look for in a text. The lists are those of the paper's authors. */
export const CATEGORIES = {
  laterality: ['left', 'right', 'bilateral'],
  anatomy: ['frontal', 'parietal', 'temporal', 'occipital', 'cerebellum', 'ventricle', 'periventricular'],
  pathology: ['edema', 'necrosis', 'enhancement', 'compression', 'tumor', 'mass', 'lesion'],
} as const;

export type Category = keyof typeof CATEGORIES;
export const CATEGORY_NAMES = Object.keys(CATEGORIES) as Category[];

/** The contents of a text by one of the definitions; `side` is that of the lesion. */
export interface Extraction extends Record<Category, ReadonlySet<string>> {
  side: 'left' | 'right' | 'bilateral' | 'unknown';
}

/** The names of the two definitions. */
export const DEFINITIONS = ['peer', 'strict'] as const;
export type Definition = (typeof DEFINITIONS)[number];

/** Returns the F1 of a hypothesis' set against a reference's; 1 if both are empty. */
export function setF1(reference: ReadonlySet<string>, hypothesis: ReadonlySet<string>): number {
  if (reference.size === 0) return hypothesis.size === 0 ? 1 : 0;
  const shared = [...hypothesis].filter((entity) => reference.has(entity)).length;
  const precision = hypothesis.size === 0 ? 0 : shared / hypothesis.size;
  const recall = shared / reference.size;
  return precision + recall > 0 ? (2 * precision * recall) / (precision + recall) : 0;
}
