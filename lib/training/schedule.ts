/** A linear warm-up, then half a cosine down to 0, as a factor on each group's peak learning rate. */

/** Returns how many of `totalSteps` warm up: the given number, or the share, rounded up. */
export function countWarmupSteps(
  { warmupSteps, warmupRatio }: { warmupSteps: number | null; warmupRatio: number },
  totalSteps: number,
): number {
  return warmupSteps ?? Math.ceil(warmupRatio * totalSteps);
}

/**
 * Returns the factor in [0, 1] of the step with index `step`, from 0. The first step of a warm-up has 0, the last step
 * of all is just above 0.
 */
export function learningRateFactor(step: number, warmupSteps: number, totalSteps: number): number {
  if (step < warmupSteps) return step / Math.max(1, warmupSteps);
  const progress = (step - warmupSteps) / Math.max(1, totalSteps - warmupSteps);
  return Math.max(0, 0.5 * (1 + Math.cos(Math.PI * progress)));
}
