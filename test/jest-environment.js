// Jest runs tests in a realm of its own, but an addon makes its errors and typed arrays in Node's. Without this,
// `error instanceof Error` is false for every native error, and typed arrays from the two realms never compare equal.
const { TestEnvironment } = require('jest-environment-node');

/** Made by name only, never by a literal or by the engine: the outer realm's can simply be shared. */
const SHARED = [
  'ArrayBuffer',
  'SharedArrayBuffer',
  'DataView',
  'Int8Array',
  'Uint8Array',
  'Uint8ClampedArray',
  'Int16Array',
  'Uint16Array',
  'Int32Array',
  'Uint32Array',
  'Float32Array',
  'Float64Array',
  'BigInt64Array',
  'BigUint64Array',
];

/** The engine makes these in the realm of the running code (`null.x` throws a TypeError), so each realm keeps its
 * own and `instanceof` accepts both. */
const EITHER = ['Error', 'TypeError', 'RangeError', 'SyntaxError', 'ReferenceError', 'EvalError', 'URIError'];

module.exports = class extends TestEnvironment {
  constructor(config, context) {
    super(config, context);
    for (const name of SHARED) this.global[name] = globalThis[name];
    for (const name of EITHER) acceptBoth(this.global[name], globalThis[name]);
  }
};

function acceptBoth(inner, outer) {
  const isInstance = Function.prototype[Symbol.hasInstance];
  Object.defineProperty(inner, Symbol.hasInstance, {
    // Subclasses inherit this; for them only their own chain counts.
    value(candidate) {
      return isInstance.call(this, candidate) || (this === inner && isInstance.call(outer, candidate));
    },
  });
}
