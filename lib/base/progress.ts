/** What is told of long work while it goes on. */
import * as v from 'valibot';

export interface StageProgress {
  /** Which part of the work. */
  stage: string;
  done: number;
  total: number;
}

export type OnProgress = (progress: StageProgress) => void;

/** Option of everything that takes long. */
export const progressEntry = {
  onProgress: v.optional(v.custom<OnProgress>((value) => typeof value === 'function', 'expected a function')),
};
