// Trains in a process of its own that can die, or whose disk can fail, at a chosen operation on files. argv: JSON {
// options, killAt, failAt }; both count from the phase's start. Prints `ready`, then one line of JSON.

import fs from 'node:fs/promises';
import { createRequire } from 'node:module';

const { options, killAt, failAt } = JSON.parse(process.argv[2]);
let operations = -1;

/** Runs before every call that changes the disk. The compiled package makes these calls by name on this object. */
function watch(object, name) {
  const original = object[name];
  object[name] = function watched(...args) {
    if (operations >= 0) {
      if (operations === killAt) process.kill(process.pid, 'SIGKILL');
      if (operations++ === failAt)
        return Promise.reject(Object.assign(new Error('no space left on device'), { code: 'ENOSPC', syscall: name }));
    }
    return original.apply(this, args);
  };
}

for (const name of ['mkdir', 'open', 'rename', 'symlink', 'rm', 'writeFile']) watch(fs, name);
const probe = await fs.open(process.execPath, 'r');
for (const name of ['write', 'writeFile', 'sync', 'truncate']) watch(Object.getPrototypeOf(probe), name);
await probe.close();

const { Trainer } = createRequire(import.meta.url)('brain3d');
const trainer = new Trainer(options);
trainer.on('phase', () => {
  operations = 0;
  console.log('ready');
});
try {
  const { phases } = await trainer.run();
  console.log(JSON.stringify({ phases, operations }));
} catch ({ code, message }) {
  console.log(JSON.stringify({ code, message, operations }));
}
