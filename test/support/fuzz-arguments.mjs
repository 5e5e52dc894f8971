/**
 * Calls every function of the addon, and every method of its handles, with arbitrary values: `fuzz-arguments.mjs RUNS SEED
 * MODEL SAMPLE`. Each call must return, or fail with a TypeError, a RangeError or one of brain3d's codes; a crash ends this
 * process, which is why it is one of its own. Works in its current folder, which the caller throws away.
 */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import fc from 'fast-check';

const [runs, seed, model, sample] = process.argv.slice(2);
const require = createRequire(import.meta.url);
const { loadAddon } = require('../../dist/binding.js');
const addon = loadAddon();

/** Longest that a call may take once it is cancelled. */
const SETTLE_MS = 20_000;
/** Names of options and fields, so that objects get past the first question. */
const FIELDS = [
  ...['volumeIndex', 'orientation', 'preferAffine', 'overrideOrientation', 'size', 'mask', 'lowerPercentile'],
  ...[
    'upperPercentile',
    'maxNewTokens',
    'minNewTokens',
    'greedy',
    'temperature',
    'topK',
    'topP',
    'seed',
    'eosTokenIds',
  ],
  ...['padTokenId', 'repetitionPenalty', 'noRepeatNgramSize', 'cudaGraph', 'visionDir', 'languageDir', 'weightsFile'],
  ...['adapterDir', 'recipe', 'device', 'dtype', 'name', 'shape', 'data', 'affine', 'affineSource', 'datatype', 'dir'],
  ...['warnings', 'layer', 'file', 'spacingMm', 'tumour', 'contrast', 'acquisition', 'strip', 'foci', 'length'],
];

const token = () => addon.createCancelToken();
const volume = await addon.readVolume(
  sample,
  { volumeIndex: -1, orientation: '', preferAffine: '', overrideOrientation: false },
  token(),
);
const checkpoint = JSON.parse(require('node:fs').readFileSync(join(model, 'brain3d.json'), 'utf8'));
const loadedModel = await addon.loadModel(modelSpec(), token(), null);

// Relative names without dots: whatever is written stays in this folder. Numbers are small or absurd: an array of some
// gigabytes would be a legal wish.
const text = fc.oneof(fc.string(), fc.string({ unit: 'binary' })).map((value) => value.replace(/[./\\]/g, '_'));
const number = fc.oneof(
  fc.integer({ min: -9, max: 9 }),
  fc.constantFrom(NaN, Infinity, -0, 2 ** 31, 2 ** 53, -1e300, 0.5),
);
const typedArray = fc.oneof(
  fc.float32Array({ maxLength: 16 }),
  fc.uint8Array({ maxLength: 16 }),
  fc.int32Array({ maxLength: 8 }),
);
const odd = fc.constantFrom(
  null,
  undefined,
  Symbol('s'),
  10n,
  () => 1,
  class {},
  // fast-check itself asks for symbols.
  new Proxy({}, { get: (_, key) => typeof key === 'string' && raise(), has: () => false, ownKeys: () => raise() }),
  {
    get size() {
      return raise();
    },
  },
  Object.create(null),
  new Float32Array(new SharedArrayBuffer(16)),
  new Array(3),
  Promise.resolve(1),
);
const handle = fc.constantFrom(volume, loadedModel, ...Array.from({ length: 3 }, token));
const plain = fc.oneof(text, number, fc.boolean(), typedArray, odd, handle);
const { value } = fc.letrec((tie) => ({
  value: fc.oneof({ maxDepth: 3 }, plain, tie('list'), tie('object')),
  list: fc.array(tie('value'), { maxLength: 4 }),
  object: fc.dictionary(fc.constantFrom(...FIELDS), tie('value'), { maxKeys: 8 }),
}));

class Raised extends Error {}
function raise() {
  throw new Raised('from the caller');
}

function modelSpec() {
  const recipe = checkpoint.recipe;
  const camel = (name) => name.replace(/_(\w)/g, (_, letter) => letter.toUpperCase());
  return {
    visionDir: join(model, checkpoint.backbones.vision.path),
    languageDir: join(model, checkpoint.backbones.language.path),
    weightsFile: join(model, 'brain3d.safetensors'),
    adapterDir: '',
    mergeAdapter: true,
    recipe: Object.fromEntries(Object.entries(recipe).map(([name, item]) => [camel(name), item])),
    device: 'cpu',
    dtype: 'float32',
  };
}

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
async function call(name, target, self, args) {
  let timer;
  try {
    const result = Reflect.apply(target, self, args);
    if (result instanceof Promise) {
      const late = new Promise((_, reject) => {
        timer = setTimeout(() => reject(new Error(`${name}: did not settle`)), SETTLE_MS);
      });
      for (const arg of args) if (typeof arg?.cancel === 'function') arg.cancel();
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

const functions = [
  ...Object.entries(addon).map(([name, target]) => [name, target, addon]),
  ...Object.entries({ volume, model: loadedModel, token: token() }).flatMap(([kind, object]) =>
    methodsOf(object).map((name) => [`${kind}.${name}`, object[name], object]),
  ),
].filter(([name, target]) => typeof target === 'function' && name !== 'model.dispose');

/** Own methods and those of the prototype. */
function methodsOf(object) {
  return [
    ...new Set([...Object.getOwnPropertyNames(object), ...Object.getOwnPropertyNames(Object.getPrototypeOf(object))]),
  ]
    .filter((name) => name !== 'constructor' && !name.startsWith('__'))
    .filter((name) => !(name in Object.prototype));
}

for (const [name, target, self] of functions) {
  await fc.assert(
    fc.asyncProperty(fc.array(value, { maxLength: 5 }), fc.boolean(), async (args, isOwn) => {
      // Half of the time with a last argument that lets the call begin, and with the right `this`.
      await call(name, target, isOwn ? self : args[0], isOwn ? [...args, token()] : args);
    }),
    { numRuns: Number(runs), seed: Number(seed) },
  );
}
loadedModel.dispose();
loadedModel.dispose();
const info = await addon.readVolumeInfo(
  sample,
  { volumeIndex: -1, orientation: '', preferAffine: '', overrideOrientation: false },
  token(),
);
console.log(JSON.stringify({ functions: functions.map(([name]) => name), ...counts, shape: info.shape }));
