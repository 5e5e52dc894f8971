// Trains while fault-shim.c, preloaded, records the changes to the disk, with a mark for each saved state that is
// reported. argv: JSON, the options of the trainer.
import { readlinkSync } from 'node:fs';
import { createRequire } from 'node:module';

const { Trainer } = createRequire(import.meta.url)('brain3d');

/** Writes a mark into the log at this place. */
function mark(text) {
  try {
    readlinkSync(`/fault/mark/${text}`);
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
  }
}

const trainer = new Trainer(JSON.parse(process.argv[2]));
trainer.on('state', ({ step }) => mark(step));
await trainer.run();
