/** Decides which epoch is best, and whether training goes on. */

export interface Best {
  loss: number;
  epoch: number;
  step: number;
}

export interface Stopping {
  best: Best | null;
  epochsWithoutImprovement: number;
}

/**
 * Judges an epoch by its validation loss. It is better if it is lower by more than `minDelta`; the first epoch is
 * always better.
 */
export function judge(before: Stopping, epoch: Best, minDelta: number): Stopping & { improved: boolean } {
  const improved = before.best === null || epoch.loss < before.best.loss - minDelta;
  if (improved) return { best: epoch, epochsWithoutImprovement: 0, improved };
  return { best: before.best, epochsWithoutImprovement: before.epochsWithoutImprovement + 1, improved };
}
