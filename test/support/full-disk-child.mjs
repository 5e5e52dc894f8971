// Trains on a disk of its own that is really full: with `mount` filled up to a little more room each time, until the run
// goes through. argv: JSON { options, mount }. Prints { isSame, stops: [{ code, message, roomKib }] }.
import { createHash } from 'node:crypto';
import { readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const { options, mount } = JSON.parse(process.argv[2]);
const { Trainer } = createRequire(import.meta.url)('brain3d');

function digest(out) {
  const hash = createHash('sha256');
  for (const file of ['brain3d.safetensors', 'brain3d.json', 'adapter/adapter_model.safetensors'])
    hash.update(readFileSync(join(out, options.phase, 'best', file)));
  return hash.digest('hex');
}

const freeBytes = () => {
  const { bavail, bsize } = statfsSync(mount);
  return bavail * bsize;
};

const reference = join(mount, 'whole');
await new Trainer({ ...options, out: reference }).run();
const expected = digest(reference);
rmSync(reference, { recursive: true });

const out = join(mount, 'run');
const filler = join(mount, 'filler');
const stops = [];
for (let roomKib = 16; ; roomKib *= 1.6) {
  rmSync(filler, { force: true });
  const fill = freeBytes() - roomKib * 1024;
  if (fill > 0) writeFileSync(filler, Buffer.alloc(fill));
  try {
    await new Trainer({ ...options, out, resume: true }).run();
    break;
  } catch ({ code, message }) {
    stops.push({ code: code ?? 'none', message, roomKib });
    if (fill <= 0) throw new Error(`it does not go through with all the room: ${message}`);
  }
}
console.log(JSON.stringify({ isSame: digest(out) === expected, stops }));
