/** Generates arbitrary JavaScript values, and arguments that are right except for one part. */
import fc from 'fast-check';

/** Names of options and fields, so that objects get past the first check. */
const FIELDS = [
  ...['volumeIndex', 'orientation', 'preferAffine', 'overrideOrientation', 'size', 'mask', 'lowerPercentile', 'dir'],
  ...['upperPercentile', 'maxNewTokens', 'minNewTokens', 'greedy', 'temperature', 'topK', 'topP', 'seed', 'layer'],
  ...['padTokenId', 'repetitionPenalty', 'noRepeatNgramSize', 'cudaGraph', 'visionDir', 'languageDir', 'weightsFile'],
  ...['adapterDir', 'recipe', 'device', 'dtype', 'name', 'shape', 'data', 'affine', 'affineSource', 'datatype'],
  ...['warnings', 'file', 'spacingMm', 'tumour', 'contrast', 'acquisition', 'strip', 'foci', 'length', 'eosTokenIds'],
];

/** The error that a hostile getter or proxy of the caller throws. */
export class Raised extends Error {}
function raise() {
  throw new Raised('from the caller');
}

// Names are relative and have no dots, so that everything written stays in this folder. Numbers are small or absurd,
// because an array of some gigabytes would be a legal request.
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

/** Generates any value; `handles` are objects of the addon that may be among them. */
export function anyValue(handles) {
  const plain = fc.oneof(text, number, fc.boolean(), typedArray, odd, fc.constantFrom(...handles));
  return fc.letrec((tie) => ({
    value: fc.oneof({ maxDepth: 3 }, plain, tie('list'), tie('object')),
    list: fc.array(tie('value'), { maxLength: 4 }),
    object: fc.dictionary(fc.constantFrom(...FIELDS), tie('value'), { maxKeys: 8 }),
  })).value;
}

/** Whether a value has parts: lists and plain objects do. The addon's handles, which have methods, stay whole. */
const isBranch = (value) =>
  Array.isArray(value) ||
  (Object.getPrototypeOf(value ?? 0) === Object.prototype &&
    Object.values(value).every((part) => typeof part !== 'function'));

/** Returns paths to every part of plain objects and lists, without the whole. */
function placesOf(value, path = []) {
  const parts = isBranch(value) ? Object.entries(value) : [];
  return parts.flatMap(([key, part]) => [[...path, key], ...placesOf(part, [...path, key])]);
}

function replaced(value, [key, ...rest], part) {
  const copy = Array.isArray(value) ? [...value] : { ...value };
  copy[key] = rest.length === 0 ? part : replaced(value[key], rest, part);
  return copy;
}

/**
 * Generates `args` with one part of them, or none, replaced by something else, to test the checks of values deep
 * inside.
 */
export function spoiled(args, value) {
  const places = placesOf(args);
  const part = fc.oneof({ weight: 2, arbitrary: number }, { weight: 1, arbitrary: typedArray }, value);
  return fc
    .tuple(fc.nat({ max: places.length }), part)
    .map(([place, other]) => (places[place] === undefined ? args : replaced(args, places[place], other)));
}
