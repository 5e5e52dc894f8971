/**
 * Calls every function of the addon, and every method of its handles, with arbitrary values, and with right arguments
 * of which one part is spoiled: `arguments.mjs RUNS SEED MODEL CACHED SAMPLE`. CACHED is a file of a preprocessing
 * cache made for MODEL. Each call must return, or fail with a TypeError, a RangeError or one of brain3d's codes. A
 * crash ends this process, which is why it is one of its own. It works in its current folder, which the caller throws
 * away.
 */
import { createRequire } from 'node:module';
import fc from 'fast-check';
import { handlesOf, rightArguments } from './right-arguments.mjs';
import { anyValue, Raised, spoiled } from './values.mjs';

const [runs, seed, model, cached, sample] = process.argv.slice(2);
const { loadAddon } = createRequire(import.meta.url)('../../../dist/native/binding.js');
const addon = loadAddon();

/** The time in ms after which a call counts as hanging. A call, cancelled or on the small model, takes milliseconds. */
const SETTLE_MS = 300_000;

const token = () => addon.createCancelToken();
const handles = await handlesOf(addon, { model, cached, sample });
const right = rightArguments(handles, { model, cached, sample });
const value = anyValue([handles.volume, handles.model, handles.trainer, token(), token(), token()]);

function requireTyped(name, error) {
  const isTyped =
    error instanceof TypeError ||
    error instanceof RangeError ||
    error instanceof Raised ||
    /^BRAIN3D_/.test(error?.code);
  if (isTyped && error.code !== 'BRAIN3D_INTERNAL') return;
  throw new Error(`${name}: expected a typed error, got ${String(error?.stack ?? error)}`);
}

const counts = { returned: 0, refused: 0 };
async function call(name, target, self, args, isCancelled) {
  let timer;
  try {
    const result = Reflect.apply(target, self, args);
    if (result instanceof Promise) {
      const late = new Promise((_, reject) => {
        timer = setTimeout(() => reject(new Error(`${name}: did not settle`)), SETTLE_MS);
      });
      if (isCancelled) for (const arg of args) if (typeof arg?.cancel === 'function') arg.cancel();
      await Promise.race([result, late]);
    }
    counts.returned += 1;
  } catch (error) {
    if (/did not settle/.test(error?.message)) throw error;
    requireTyped(name, error);
    counts.refused += 1;
  } finally {
    clearTimeout(timer);
  }
}

/** Returns own methods and those of the prototype. */
function methodsOf(object) {
  return [
    ...new Set([...Object.getOwnPropertyNames(object), ...Object.getOwnPropertyNames(Object.getPrototypeOf(object))]),
  ]
    .filter((name) => name !== 'constructor' && !name.startsWith('__'))
    .filter((name) => !(name in Object.prototype));
}

const functions = [
  ...Object.entries(addon).map(([name, target]) => [name, target, addon]),
  ...Object.entries({ ...handles, token: token() }).flatMap(([kind, object]) =>
    methodsOf(object).map((name) => [`${kind}.${name}`, object[name], object]),
  ),
].filter(([name, target]) => typeof target === 'function' && !/^(model|trainer)\.dispose$/.test(name));

const check = (property) => fc.assert(property, { numRuns: Number(runs), seed: Number(seed) });
for (const [name, target, self] of functions) {
  await check(
    fc.asyncProperty(fc.array(value, { maxLength: 5 }), fc.boolean(), async (args, isOwn) => {
      // Half of the calls get a last argument that lets them begin, and the right `this`.
      await call(name, target, isOwn ? self : args[0], isOwn ? [...args, token()] : args, true);
    }),
  );
}
for (const [name, { args, trailing = [], mayRun = false }] of Object.entries(right)) {
  const [, target, self] = functions.find(([known]) => known === name);
  await Reflect.apply(target, self, [...args, token(), ...trailing]); // the unspoiled arguments are right
  await check(
    fc.asyncProperty(spoiled(args, value), fc.boolean(), async (other, isCancelled) => {
      await call(name, target, self, [...other, token(), ...trailing], isCancelled || !mayRun);
    }),
  );
}
for (const object of [handles.model, handles.trainer]) {
  object.dispose();
  object.dispose();
}
const info = await addon.readVolumeInfo(...right.readVolumeInfo.args, token());
const names = (list) => list.map(([name]) => name);
console.log(JSON.stringify({ functions: names(functions), spoiled: Object.keys(right), ...counts, shape: info.shape }));
