type Category = 'side' | 'anatomy' | 'pathology';
type Part = 'tuned' | 'held-out';
export interface Sentence {
  id: string;
  part: Part;
  text: string;
  side: string;
  anatomy: string[];
  pathology: string[];
}
interface Score {
  precision: number;
  recall: number;
  /** The share of sentences read without a fault. */
  exact: number;
}
export const CATEGORIES: readonly Category[];
export const PARTS: readonly Part[];
export function readSentences(): Sentence[];
export function measure(
  extract: (text: string) => { side: string; anatomy: Iterable<string>; pathology: Iterable<string> },
  sentences?: Sentence[],
): Record<Part, Record<Category, Score> & { sentences: number }>;
