// Trains again and again in one process whose calls on files fail in turn (fault-shim.c, preloaded).
// argv: JSON { options, root, isFull }; `options` comes without `out`. A run gets a fault at each of its calls, once
// with each error that its kind of call can have. If not `isFull`, each call gets one of the errors by turns, and of
// many calls of a kind in a row, such as those for a file's tensors, only the first and the last fail; of these places
// every other in the first half of the run, and the others in the second, which saves once more as the first does. By turns the
// run is to stop at a failed save, and to go on. Then an interrupted run is continued where nothing can be renamed, and
// again where it can.
// Prints one line of JSON: { calls, places, faults: [{ at, kind, error, onSaveError, saveErrors, code, message, isSame,
// descriptors }], withoutRename: { code, message, saved, kept, isSame } }. The last has the digests of the saved states
// before and after.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, readlinkSync, rmSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { join } from 'node:path';

const { options, root, isFull } = JSON.parse(process.argv[2]);
const { Trainer } = createRequire(import.meta.url)('brain3d');

/** The errors by the kind of call; `short` transfers half. */
const ERRORS = {
  o: ['EIO', 'ENOSPC', 'EMFILE'],
  r: ['EIO', 'short'],
  w: ['ENOSPC', 'EIO', 'short', 'EDQUOT'],
  s: ['EIO', 'ENOSPC'],
  n: ['EXDEV', 'EIO', 'ENOSPC', 'ENOSYS'],
  m: ['ENOSPC', 'EROFS'],
  l: ['ENOSPC', 'EIO'],
  u: ['EIO', 'EROFS'],
  t: ['EIO'],
  c: ['EIO'],
};

/** Returns the trace until now; from now on the call `at` fails. */
const arm = (at, error = 'none') =>
  readlinkSync(`/fault/${at}/${error === 'short' ? 0 : (constants.errno[error] ?? 0)}`);

async function run(out, onSaveError = 'stop') {
  const trainer = new Trainer({ ...options, out, resume: true, onSaveError });
  const saveErrors = [];
  trainer.on('saveError', ({ error }) => saveErrors.push(error.code));
  try {
    await trainer.run();
    return { saveErrors };
  } catch ({ code, message }) {
    return { saveErrors, code: code ?? 'none', message };
  }
}

function digest(out) {
  const phase = join(out, options.phase);
  const hash = createHash('sha256');
  const log = readFileSync(join(phase, 'log.jsonl'), 'utf8').trim().split('\n');
  for (const line of log) {
    const { ms: _, tokens_per_s: _t, peak_bytes: _p, samples: _s, ...lasting } = JSON.parse(line);
    hash.update(JSON.stringify(lasting));
  }
  for (const file of ['brain3d.safetensors', 'brain3d.json', 'adapter/adapter_model.safetensors'])
    hash.update(readFileSync(join(phase, 'best', file)));
  return hash.digest('hex');
}

const descriptors = () => readdirSync('/proc/self/fd').length;

await run(join(root, 'warm')); // files that are opened once are open now
const expected = digest(join(root, 'warm'));
arm(-1);
await run(join(root, 'traced'));
const trace = arm(-1);
if (digest(join(root, 'traced')) !== expected) throw new Error('two runs without a fault differ');

const faults = [];
const isInside = (at) => [at - 1, at + 1].every((near) => trace[near] === trace[at]);
const ends = [...trace].map((_, at) => at).filter((at) => isFull || !isInside(at));
const places = ends.filter((at, index) => isFull || (index + (2 * at > trace.length ? 1 : 0)) % 2 === 0);
let turn = 0;
for (const at of places) {
  const known = ERRORS[trace[at]];
  for (const error of isFull ? known : [known[turn++ % known.length]]) {
    const out = join(root, 'run');
    const before = descriptors();
    arm(at, error);
    const onSaveError = faults.length % 2 === 0 ? 'stop' : 'continue';
    const outcome = await run(out, onSaveError);
    const hit = arm(-1);
    const mark = hit.indexOf('!');
    const after = descriptors();
    const resumed = await run(out);
    const isSame = resumed.code === undefined && digest(out) === expected;
    const kind = mark < 0 ? null : hit[mark - 1];
    faults.push({ at, kind, error, onSaveError, ...outcome, resumed, isSame, descriptors: after - before });
    rmSync(out, { recursive: true });
  }
}

/** Returns a digest of every file of every saved state. */
function savedStates(out) {
  const files = readdirSync(out, { recursive: true })
    .filter((name) => /step-\d+.*\//.test(name))
    .sort();
  const isFile = (name) => statSync(join(out, name)).isFile();
  const digestOf = (name) =>
    createHash('sha256')
      .update(readFileSync(join(out, name)))
      .digest('hex');
  return files.filter(isFile).map((name) => `${name} ${digestOf(name)}`);
}

const out = join(root, 'no-rename');
arm(trace.lastIndexOf('n'), 'EIO');
await run(out);
arm(-1);
const saved = savedStates(out);
const setRenames = (error) => readlinkSync(`/fault/rename/${constants.errno[error] ?? 0}`);
setRenames('ENOSYS');
const refused = await run(out);
setRenames('none');
const kept = savedStates(out);
const resumed = await run(out);
const withoutRename = { ...refused, saved, kept, isSame: resumed.code === undefined && digest(out) === expected };
console.log(JSON.stringify({ calls: trace.length, places: places.length, faults, withoutRename }));
