/** The event that reports the progress of long work. */
import * as v from 'valibot';

export interface StageProgress {
  /** The part of the work. */
  stage: string;
  done: number;
  total: number;
}

export type OnProgress = (progress: StageProgress) => void;

/** The option of every function that takes long. */
export const progressEntry = {
  onProgress: v.optional(v.custom<OnProgress>((value) => typeof value === 'function', 'expected a function')),
};
