/** Which tests a change reaches (`npm test -- --changed`), and which times files get back before a build. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { ROOT } from '../support/cli';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'brain3d-changes-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function write(files: Record<string, string>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, name)), { recursive: true });
    writeFileSync(join(dir, name), text);
  }
}

/** The scripts are ES modules, which jest does not load: asked in a process of its own. */
function ask<T>(module: string, body: string): T {
  const script = `import * as tool from ${JSON.stringify(join(ROOT, 'scripts', module))};
    const root = ${JSON.stringify(dir)};
    const answer = await (async () => { ${body} })();
    console.log(JSON.stringify(answer));`;
  return JSON.parse(
    execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8', stdio: 'pipe' }),
  );
}

const git = (...args: string[]): void => {
  execFileSync('git', ['-c', 'user.name=x', '-c', 'user.email=x@x', ...args], { cwd: dir, stdio: 'ignore' });
};

const FILES = {
  'lib/index.ts': "export { a } from './a';\nexport { b, type B } from './b';\n",
  'lib/a.ts': "import { c } from './deep/c';\nexport const a = c;\n",
  'lib/b.ts': 'export const b = 1;\nexport type B = number;\n',
  'lib/deep/c.ts': 'export const c = 1;\n',
  'lib/binding.ts': "export const path = ['build/Release/brain3d.node'];\n",
  'native/io/x.h': '#pragma once\n',
  'native/io/x.cpp': '#include "io/x.h"\n',
  'native/data/y.h': '#include "io/x.h"\n',
  'test/native/data/y_test.cpp': '#include "data/y.h"\n',
  'test/native/data/other_test.cpp': '#include <vector>\n',
  'test/a.test.ts': "import { a } from 'brain3d';\n",
  'test/b.test.ts': "import { type B, b } from 'brain3d';\n",
  'test/built.test.ts': "import { c } from '../dist/deep/c';\n",
  'test/child.test.ts': "run(join(ROOT, 'test/support/child.mjs'));\n",
  'test/support/child.mjs': "import { c } from '../../dist/deep/c.js';\n",
  'test/docs.test.ts': "read(join('docs', 'page.md'));\n",
  'test/addon.test.ts': "import { path } from '../lib/binding';\n",
  'docs/page.md': 'x\n',
};

const reached = (...changed: string[]): [file: string, distance: number][] =>
  ask<[string, number][]>(
    'suites/affected.mjs',
    `const distances = tool.reach(root, await tool.sourceFiles(root), tool.seeds(${JSON.stringify(changed)}));
     return [...distances].filter(([file]) => /[._]test\\.(ts|cpp)$/.test(file)).sort(([a], [b]) => (a < b ? -1 : 1));`,
  );

describe('a change reaches', () => {
  beforeEach(() => {
    write(FILES);
    git('init');
    git('add', '-A');
    git('commit', '-m', 'x');
  });

  test('what imports it, by its source, as built, through what passes it on, and in a child', () => {
    expect(reached('lib/deep/c.ts')).toEqual([
      ['test/a.test.ts', 2],
      ['test/built.test.ts', 1],
      ['test/child.test.ts', 2],
    ]);
    expect(reached('lib/b.ts')).toEqual([['test/b.test.ts', 1]]);
  });

  test('what includes its header, and through the addon what loads that', () => {
    expect(reached('native/io/x.cpp')).toEqual([
      ['test/addon.test.ts', 2],
      ['test/native/data/y_test.cpp', 3],
    ]);
  });

  test('what names its file or a folder that it is in', () => {
    expect(reached('docs/page.md')).toEqual([['test/docs.test.ts', 1]]);
  });

  test('itself, and nothing else', () => {
    expect(reached('test/a.test.ts')).toEqual([['test/a.test.ts', 0]]);
    expect(reached('notes.txt')).toEqual([]);
  });

  test('changed are files that git knows, those it does not, and those that are gone', () => {
    writeFileSync(join(dir, 'lib/a.ts'), 'export const a = 2;\n');
    writeFileSync(join(dir, 'lib/new.ts'), '');
    rmSync(join(dir, 'lib/b.ts'));
    const changed = ask<string[]>('suites/affected.mjs', "return (await tool.changedFiles(root, 'HEAD')).sort();");
    expect(changed).toEqual(['lib/a.ts', 'lib/b.ts', 'lib/new.ts']);
  });
});

test('of many tests the nearest are chosen that fit into the budget, and one at least', () => {
  const nearest = (seconds: object) =>
    ask(
      'suites/changed.mjs',
      `
      const distances = new Map([['far', 3], ['slow', 1], ['quick', 1]]);
      return tool.nearest([...distances.keys()], distances, ${JSON.stringify(seconds)});`,
    );
  expect(nearest({ far: 1, slow: 60, quick: 1 })).toEqual({ chosen: ['quick', 'slow', 'far'], left: [] });
  expect(nearest({ far: 60, slow: 60, quick: 1 })).toEqual({ chosen: ['quick', 'slow'], left: ['far'] });
  expect(nearest({ far: 1, slow: 900, quick: 800 })).toEqual({ chosen: ['quick'], left: ['slow', 'far'] });
});

describe('a build', () => {
  const build = (work = '') =>
    ask<null>(
      'steps/stamp.mjs',
      `
      const { writeFileSync } = await import('node:fs');
      await tool.withTimesOfLastBuild(root, 'times', ['src'], root + '/log', async () => { ${work} });
      return null;`,
    );
  const timeOf = (name: string): number => statSync(join(dir, name)).mtimeMs;
  const touch = (name: string): void => utimesSync(join(dir, name), 2_000_000_000, 2_000_000_000);
  const BUILT = "writeFileSync(root + '/log', 'built');";
  beforeEach(() => write({ 'src/a.cpp': 'a', 'src/b.cpp': 'b' }));

  test('finds files that hold what was built with the time that they had then, others as they are', () => {
    const before = timeOf('src/a.cpp');
    build(BUILT);
    touch('src/a.cpp');
    writeFileSync(join(dir, 'src/b.cpp'), 'changed');
    touch('src/b.cpp');
    build();
    expect(Math.abs(timeOf('src/a.cpp') - before)).toBeLessThanOrEqual(1);
    expect(timeOf('src/a.cpp')).toBeLessThanOrEqual(before);
    expect(timeOf('src/b.cpp')).toBe(2e12);
  });

  test.each<[why: string, between: () => void]>([
    ['another has built since', () => writeFileSync(join(dir, 'log'), 'built by hand')],
    ['one has failed since', () => expect(() => build("throw new Error('a compiler error')")).toThrow()],
  ])('leaves times alone where %s', (_why, between) => {
    build(BUILT);
    between();
    touch('src/a.cpp');
    build();
    expect(timeOf('src/a.cpp')).toBe(2e12);
  });

  test('has the same stamp wherever the checkout is and whenever its files were written', () => {
    const key = () => ask<string>('steps/stamp.mjs', "return tool.fingerprint(root, ['src'], {});");
    const first = key();
    touch('src/a.cpp');
    expect(key()).toBe(first);
    expect(readFileSync(join(dir, 'src/a.cpp'), 'utf8')).toBe('a');
    writeFileSync(join(dir, 'src/a.cpp'), 'A');
    expect(key()).not.toBe(first);
  });
});
