/** Limits the cost of refusing a hostile file (docs/hostile-files.md). */
import { readFileSync, writeFileSync } from 'node:fs';
import { SLOWNESS } from './sanitizer';

const MAX_SECONDS = 1 * SLOWNESS;
const MAX_KIB = 64 * 1024 * SLOWNESS;

export interface Refusal {
  code?: string;
  name: string;
  message: string;
  file?: string;
  field?: string;
}

function statusKib(key: string): number {
  return Number(new RegExp(`^${key}:\\s+(\\d+) kB`, 'm').exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);
}

/**
 * Returns the error that `work` rejects with. Fails if it does not reject, or takes more than a second of this
 * process's time or 64 MiB beyond the resident memory before. The time is processor time, so that a busy machine does
 * not count.
 */
export async function refusalOf(work: () => Promise<unknown>): Promise<Refusal> {
  const [before, start] = [statusKib('VmRSS'), process.cpuUsage()];
  writeFileSync('/proc/self/clear_refs', '5'); // the peak becomes the memory that is resident now
  const error = await work().then(
    () => {
      throw new Error('it was accepted');
    },
    (failure: Refusal) => failure,
  );
  const { user, system } = process.cpuUsage(start);
  expect((user + system) / 1e6).toBeLessThan(MAX_SECONDS);
  expect(statusKib('VmHWM') - before).toBeLessThan(MAX_KIB);
  return error;
}
