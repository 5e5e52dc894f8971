/** The lint of layers, asked about files that break its rules. */
import { execFileSync } from 'node:child_process';
import { join, resolve } from 'node:path';

const TOOL = resolve(__dirname, '../../tools/check_layers.mjs');

/** The tool is an ES module, which jest does not load: asked in a process of its own. */
function ask(call: string, ...args: unknown[]): string[] {
  const script = `import * as tool from ${JSON.stringify(TOOL)};
    console.log(JSON.stringify(tool.${call}(...JSON.parse(process.argv[1]))));`;
  const command = ['--input-type=module', '-e', script, JSON.stringify(args)];
  return JSON.parse(execFileSync(process.execPath, command, { encoding: 'utf8' }));
}

const includes = (path: string, line: string) => ask('includeProblems', join('native', path), `// head\n${line}\n`);
const imports = (path: string, line: string) => ask('importProblems', join('lib', path), `${line}\n`);

it.each([
  ['ops/x.cpp', '#include "nn/linear.h"', 'native/ops/x.cpp:2: ops may not include nn ("nn/linear.h")'],
  [
    'io/nifti/x.cpp',
    '#include <napi.h>',
    'native/io/nifti/x.cpp:2: <napi.h> may be included in napi/ and loader/ only',
  ],
  ['io/x.cpp', '#include "device/torch.h"', 'native/io/x.cpp:2: io may not include device ("device/torch.h")'],
  ['io/x.cpp', '#include <torch/torch.h>', 'native/io/x.cpp:2: <torch/torch.h>: io does without torch'],
  ['ops/cuda/x.cu', '#include <ATen/ATen.h>', 'native/ops/cuda/x.cu:2: <ATen/ATen.h>: .cu files take raw pointers'],
  ['nn/x.cpp', '#include "linear.h"', 'native/nn/x.cpp:2: "linear.h": quotes are for files named from native/'],
  ['models/vision/x.h', '#include "models/brain3d/recipe.h"', 'models/vision may not include models/brain3d'],
  ['misc/x.cpp', '', 'native/misc is not a layer'],
])('rejects in native/%s: %s', (path, line, expected) => {
  expect(includes(path, line)).toEqual([expect.stringContaining(expected)]);
});

it.each([
  ['nn/x.cpp', '#include "nn/linear.h"'],
  ['nn/x.cpp', '#include "ops/ops.h"'],
  ['io/x.cpp', '#include "io/nifti/nifti.h"'],
  ['napi/x.cpp', '#include <napi.h>'],
  ['io/x.cpp', '#include <nlohmann/json.hpp>'],
  ['ops/cuda/x.cu', '#include <cuda_runtime.h>'],
])('accepts in native/%s: %s', (path, line) => expect(includes(path, line)).toEqual([]));

it.each([
  ['base/x.ts', "import { a } from '../files/a';", 'lib/base/x.ts: base may not import files'],
  ['metrics/x.ts', "import type { A } from '../evaluate/a';", 'lib/metrics/x.ts: metrics may not import evaluate'],
  ['cli/x.ts', "const a = await import('../index');", 'lib/cli/x.ts: cli may not import an entry'],
  ['misc/x.ts', '', 'lib/misc is not a layer'],
  ['x.ts', '', 'lib/x.ts: only entries stand directly in lib/'],
])('rejects in lib/%s: %s', (path, line, expected) => {
  expect(imports(path, line)).toEqual([expect.stringContaining(expected)]);
});

it.each([
  ['index.ts', "export { a } from './metrics/a';"],
  ['files/x.ts', "import { a } from '../base/a';\nimport { join } from 'node:path';\nimport { b } from './b';"],
])('accepts in lib/%s: %s', (path, line) => expect(imports(path, line)).toEqual([]));

it('names a circle of imports', () => {
  const files = [
    ['lib/a/x.ts', "import { y } from './y';"],
    ['lib/a/y.ts', "import type { z } from '../b/z';"],
    ['lib/b/z.mts', "import { x } from '../a/x.js';"],
  ];
  expect(ask('circleProblems', files)).toEqual(['import circle: lib/a/x -> lib/a/y -> lib/b/z -> lib/a/x']);
  expect(ask('circleProblems', files.slice(0, 2))).toEqual([]);
});

it('rejects a drawing that differs from the rule', () => {
  expect(ask('tableProblems', 'native', 'no markers')).toEqual([expect.stringContaining('no table')]);
  const drawn = ask(
    'tableProblems',
    'native',
    '<!-- layers of native -->\nops -> base, nn\nmisc -> base\n<!-- /layers -->',
  );
  expect(drawn).toContain('docs/architecture.md: "ops -> base, nn" but the rule is "ops -> base, device"');
  expect(drawn).toContain('docs/architecture.md: misc is not a layer of native/');
});
