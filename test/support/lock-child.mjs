// Takes locks of folders when told to. Each line on stdin is a folder, or `release`; each answer is one line.
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

const { lockFolder } = createRequire(import.meta.url)('../../dist/files/folder-lock.js');
let lock = null;

console.log('ready');
for await (const line of createInterface({ input: process.stdin })) {
  if (line === 'release') {
    await lock?.release();
    lock = null;
    console.log('released');
    continue;
  }
  try {
    lock = await lockFolder(line);
    console.log('won');
  } catch (error) {
    console.log(error.code ?? String(error));
  }
}
