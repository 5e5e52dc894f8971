// Trains on a disk of its own that is really full. `mount` is filled up to a little more room each time, until the run
// goes through; then the run goes twice with `onSaveError: 'continue'`, once with room made at the first failure and
// once not. argv: JSON { options, mount }. Prints { isSame, stops: [{ code, message, roomKib }], continued, ended }.
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
const isSame = digest(out) === expected;

/** Continues with room for the log, but not for a saved state. */
async function goOn(out, makesRoom) {
  const [warnings, saveErrors] = [[], []];
  writeFileSync(filler, Buffer.alloc(freeBytes() - 48 * 1024));
  const trainer = new Trainer({ ...options, out, onSaveError: 'continue' });
  trainer.on('warning', (message) => warnings.push(message));
  trainer.on('saveError', ({ error }) => {
    saveErrors.push(error.message);
    if (makesRoom) rmSync(filler);
  });
  let resumed = null;
  try {
    await trainer.run();
  } catch ({ code }) {
    resumed = code;
    rmSync(filler);
    await new Trainer({ ...options, out, resume: true }).run();
  }
  const result = { warnings, saveErrors, resumed, isSame: digest(out) === expected };
  rmSync(out, { recursive: true });
  return result;
}

rmSync(filler, { force: true });
rmSync(out, { recursive: true });
const continued = await goOn(join(mount, 'continued'), true);
const ended = await goOn(join(mount, 'ended'), false);
console.log(JSON.stringify({ isSame, stops, continued, ended }));
