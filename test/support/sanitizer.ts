/**
 * The factor by which tests are slower: `npm run test:asan` and `test:tsan` run the same tests on instrumented code,
 * which takes more time and memory.
 */
export const SLOWNESS = process.env.BRAIN3D_SANITIZER === undefined ? 1 : 10;
