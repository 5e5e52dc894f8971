/** Returns how often a random fault is tried: a test's own number, or BRAIN3D_ROUNDS for all. */
export function rounds(usual: number): number {
  const { BRAIN3D_ROUNDS: given } = process.env;
  if (given === undefined) return usual;
  const count = Number(given);
  if (!Number.isInteger(count) || count < 1)
    throw new Error(`expected BRAIN3D_ROUNDS to be an integer from 1, got '${given}'`);
  return count;
}
