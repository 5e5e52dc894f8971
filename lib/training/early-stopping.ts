/** Which epoch was best, and whether to go on. */

export interface Best {
  loss: number;
  epoch: number;
  step: number;
}

export interface Stopping {
  best: Best | null;
  epochsWithoutImprovement: number;
}

/** After an epoch's validation: better is lower by more than `minDelta`; the first epoch is always better. */
export function judge(before: Stopping, epoch: Best, minDelta: number): Stopping & { improved: boolean } {
  const improved = before.best === null || epoch.loss < before.best.loss - minDelta;
  if (improved) return { best: epoch, epochsWithoutImprovement: 0, improved };
  return { best: before.best, epochsWithoutImprovement: before.epochsWithoutImprovement + 1, improved };
}
