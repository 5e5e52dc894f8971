// What `npm test -- --changed` runs: of the tests that a change can affect, the nearest, for as long as a person waits.
import { changedFiles, reach, seeds, sourceFiles } from './affected.mjs';

/** Seconds that the TypeScript tests may take, by what they took last. */
const BUDGET = 40;
/** As many run at once (jest.config.js). */
const WORKERS = 2;
const UNKNOWN_SECONDS = 20;

/** Parts as in test.mjs. Says on stdout what it leaves to `npm test`. */
export async function partsOfChange(root, ref, seconds) {
  const changed = await changedFiles(root, ref);
  const files = await sourceFiles(root);
  const distances = reach(root, files, seeds(changed));
  const reached = files.filter((file) => distances.has(file));
  const native = reached.filter((file) => /^test\/native\/.*_test\.cpp$/.test(file));
  const tests = reached.filter((file) => /^test\/.*\.test\.ts$/.test(file));
  const { chosen, left } = nearest(tests, distances, seconds);
  console.log(
    `${changed.length} files changed since ${ref}; they can affect ${tests.length + native.length} test files`,
  );
  if (left.length > 0)
    console.log(`${left.length} of them, farther away, are left to npm test: ${left.slice(0, 3).join(', ')}, ...`);
  return {
    lint: { quick: true },
    native: native.length === 0 ? null : [`--source-file=${native.map((file) => `*${file}`).join(',')}`],
    jest: chosen.length === 0 ? null : chosen,
  };
}

/** The tests nearest to the change that fit into the budget, the shorter first where they are equally near; one at least. */
export function nearest(tests, distances, seconds) {
  const secondsOf = (file) => seconds[file] ?? UNKNOWN_SECONDS;
  const order = tests.toSorted((a, b) => distances.get(a) - distances.get(b) || secondsOf(a) - secondsOf(b));
  let total = 0;
  const end = order.findIndex((file, index) => {
    total += secondsOf(file);
    return index > 0 && total > BUDGET * WORKERS;
  });
  return end < 0 ? { chosen: order, left: [] } : { chosen: order.slice(0, end), left: order.slice(end) };
}
