/**
 * The time in ms after which a child process counts as hanging. It is many times what any takes on a busy machine, and
 * a little less than jest gives a test (testTimeout in jest.config.js), so that the child's output is seen. No test may
 * depend on it.
 */
export const HANG_MS = 580_000;
