/** The short form of `npm run soak`: nothing is seen to grow. */
import { join } from 'node:path';
import { type Loose, ROOT, runNode } from '../support/child';
import { HANG_MS } from '../support/limits';

test(
  'memory, descriptors and threads stay flat over reports, loads, aborts and refused files',
  async () => {
    const script = join(ROOT, 'test/soak/soak.mjs');
    const args = ['--expose-gc', '--v8-pool-size=1', '--max-semi-space-size=1', script, '--short'];
    const { code, stdout, stderr } = await runNode(args, 3 * HANG_MS);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const results: Loose[] = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(results.map(({ name }) => name)).toEqual(['reports', 'cycles', 'aborts', 'refusals']);
  },
  4 * HANG_MS,
);
