// Lists which folder may use which, besides itself. docs/architecture.md draws the same two tables, and
// check_layers.mjs compares them. A file belongs to the deepest folder named here that holds it: `io` has all of
// `io/nifti`, while the folders of `models` are layers of their own.

/** The folders of native/, by their `#include "..."`. */
export const NATIVE = {
  base: [],
  device: ['base'],
  ops: ['base', 'device'],
  nn: ['base', 'device', 'ops'],
  io: ['base'],
  image: ['base'],
  strip: ['base', 'image'],
  simulate: ['base', 'image', 'io'],
  volume: ['base', 'device', 'image', 'io', 'ops', 'strip'],
  weights: ['base', 'device', 'io', 'nn'],
  'models/language': ['base', 'device', 'nn', 'ops', 'weights'],
  'models/vision': ['base', 'device', 'nn', 'ops', 'weights'],
  'models/text': ['base', 'device', 'nn', 'ops', 'weights'],
  'models/brain3d': ['base', 'device', 'io', 'models/language', 'models/vision', 'nn', 'ops', 'weights'],
  'models/baselines': ['base', 'device', 'io', 'models/language', 'models/vision', 'nn', 'ops', 'weights'],
  generate: ['base', 'device', 'models/brain3d', 'models/language', 'nn', 'ops'],
  train: [
    'base',
    'device',
    'io',
    'models/brain3d',
    'models/language',
    'models/vision',
    'nn',
    'ops',
    'volume',
    'weights',
  ],
  napi: [
    ...[
      'base',
      'device',
      'generate',
      'image',
      'io',
      'models/brain3d',
      'models/language',
      'models/text',
      'models/vision',
    ],
    ...['nn', 'ops', 'simulate', 'strip', 'train', 'volume', 'weights'],
  ],
  loader: [],
};

/** The only layers of native/ that include Node's headers. Layers that include `device` may include torch's. */
export const KNOWS_NODE = ['napi', 'loader'];

/** The folders of lib/, by their imports; the entries index.ts and cli.ts import from any of them. */
export const LIB = {
  base: [],
  files: ['base'],
  native: ['base', 'files'],
  tokenizer: ['base'],
  reading: ['base'],
  dicom: ['base', 'files'],
  checkpoint: ['base', 'files', 'native', 'tokenizer'],
  volume: ['base', 'checkpoint', 'dicom', 'files', 'native'],
  model: ['base', 'checkpoint', 'files', 'native', 'reading', 'tokenizer', 'volume'],
  dataset: ['base', 'checkpoint', 'files', 'native', 'reading', 'volume'],
  simulate: ['base', 'files', 'native', 'reading', 'volume'],
  metrics: ['base', 'checkpoint', 'dataset', 'files', 'native', 'reading', 'tokenizer'],
  training: ['base', 'checkpoint', 'dataset', 'files', 'native', 'tokenizer'],
  evaluate: ['base', 'checkpoint', 'dataset', 'files', 'metrics', 'model', 'native', 'reading', 'volume'],
  inspect: ['base', 'checkpoint', 'dicom', 'native', 'volume'],
  cli: [
    ...['base', 'checkpoint', 'dataset', 'evaluate', 'files', 'inspect', 'metrics', 'model', 'native', 'reading'],
    ...['simulate', 'training', 'volume'],
  ],
};
