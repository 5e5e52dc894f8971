/**
 * After so long a child process is taken to hang. That is many times what any takes on a busy machine, and a little less
 * than jest gives a test (testTimeout in jest.config.js), so that what the child said is seen. No test may depend on it.
 */
export const HANG_MS = 580_000;
