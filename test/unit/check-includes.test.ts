import { execFileSync } from 'node:child_process';
import { join, resolve } from 'node:path';

const TOOL = resolve(__dirname, '../../tools/check_includes.mjs');

/** The tool is an ES module, which jest does not load: asked in a process of its own. */
function ask(call: string, ...args: string[]): string[] {
  const script = `import * as tool from ${JSON.stringify(TOOL)};
    console.log(JSON.stringify(tool.${call}(...process.argv.slice(1))));`;
  const text = execFileSync(process.execPath, ['--input-type=module', '-e', script, ...args], { encoding: 'utf8' });
  return JSON.parse(text);
}

const problems = (path: string, line: string) => ask('includeProblems', join('native', path), `// head\n${line}\n`);

it.each([
  ['ops/x.cpp', '#include "nn/linear.h"', 'native/ops/x.cpp:2: ops may not include nn ("nn/linear.h")'],
  ['io/x.cpp', '#include <napi.h>', 'native/io/x.cpp:2: <napi.h> may be included in napi/ and loader/ only'],
  ['ops/cuda/x.cu', '#include <ATen/ATen.h>', 'native/ops/cuda/x.cu:2: <ATen/ATen.h>: .cu files take raw pointers'],
  ['nn/x.cpp', '#include "linear.h"', 'native/nn/x.cpp:2: "linear.h": quotes are for files named from native/'],
  ['misc/x.cpp', '', 'native/misc is not a layer'],
])('rejects in %s: %s', (path, line, expected) => {
  expect(problems(path, line)).toEqual([expect.stringContaining(expected)]);
});

it.each([
  ['nn/x.cpp', '#include "nn/linear.h"'],
  ['nn/x.cpp', '#include "ops/ops.h"'],
  ['napi/x.cpp', '#include <napi.h>'],
  ['io/x.cpp', '#include <nlohmann/json.hpp>'],
  ['ops/cuda/x.cu', '#include <cuda_runtime.h>'],
])('accepts in %s: %s', (path, line) => expect(problems(path, line)).toEqual([]));

it('rejects a drawing that differs from the rule', () => {
  expect(ask('tableProblems', 'no markers')).toEqual([expect.stringContaining('no table')]);
  const drawn = ask('tableProblems', '<!-- layers -->\nops -> core, nn\nmisc -> core\n<!-- /layers -->');
  expect(drawn).toContain('docs/architecture.md: "ops -> core, nn" but the rule is "ops -> core"');
  expect(drawn).toContain('docs/architecture.md: misc is not a layer of native/');
});
