// Runs the jobs of the tests of lib/base/worker-pool.ts. Each job says what its worker must do.
const { readFileSync } = require('node:fs');
const { threadId } = require('node:worker_threads');
const { Brain3DError, loadVolume } = require('../../dist/index.js');
const { serveJobs } = require('../../dist/base/worker-pool.js');

serveJobs(async ({ kind, value }, data) => {
  switch (kind) {
    case 'square':
      return { square: value * value, threadId, data };
    case 'sleep':
      await new Promise((resolve) => setTimeout(resolve, value));
      return { slept: value, threadId, data };
    case 'load':
      return (await loadVolume(value)).info;
    case 'typed':
      throw new Brain3DError('BRAIN3D_FORMAT', 'the text', {
        file: 'a.nii',
        field: 'dim',
        offset: 40,
        cause: Error('why'),
      });
    case 'system':
      return readFileSync(value);
    case 'range':
      throw new RangeError('out of range');
    case 'uncloneable':
      return () => value;
    case 'exit':
      return process.exit(7);
    case 'crash':
      setImmediate(() => {
        throw new Error('outside of the job');
      });
      return new Promise(() => setTimeout(() => value, 60_000));
    default:
      throw new TypeError(`unknown job '${kind}'`);
  }
});
