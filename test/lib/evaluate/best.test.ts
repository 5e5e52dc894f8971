/** Tests of the model that is printed bold, and of the names of rows. */
import { resolve } from 'node:path';
import { CONTROL_NAMES } from '../../../lib/evaluate/controls';
import { modelNames } from '../../../lib/evaluate/model-names';
import type { EvaluationResults } from '../../../lib/evaluate/results';
import { tablesAsLatex, tablesAsMarkdown } from '../../../lib/evaluate/table-files';
import { bestOf, type Table } from '../../../lib/evaluate/tables';
import type { Metric } from '../../../lib/metrics/bootstrap';

const metric = (mean: number | null): Metric =>
  mean === null ? { unavailable: 'no weights' } : { mean, ci95: [mean, mean], n: 3 };
const best = (
  means: (number | null)[],
  better: 'highest' | 'lowest' = 'highest',
  controls: number[] = [],
): number[] => [
  ...bestOf(
    means.map((_, r) => ({ kind: controls.includes(r) ? 'control' : 'model' })),
    means.map(metric),
    better,
  ),
];

describe('the best models', () => {
  it.each<[(number | null)[], number[]]>([
    // Compared as texts, '10.000' is below '8.322', and '-0.100' above '-0.050'.
    [[10, 8.322], [0]],
    [[8.322, 10], [1]],
    [[100, 99.5, 9], [0]],
    [[-0.1, -0.05], [1]],
    [[-10, -9], [1]],
    [[0.2, -0.3], [0]],
    [[1e-9, 1], [1]],
    [[1e21, 3], [0]],
    // Equal as printed: both.
    [
      [0.12341, 0.12339],
      [0, 1],
    ],
    [[0.1234, 0.1236], [1]],
    [
      [-0.0001, 0.0001],
      [0, 1],
    ],
    [
      [0, 0, 0],
      [0, 1, 2],
    ],
    // A model without a value does not compete, and nobody is best alone.
    [[null, 0.5, 0.4], [1]],
    [[Number.NaN, 0.5, 0.4], [1]],
    [[0.5, Number.NaN, 0.6], [2]],
    [[Number.POSITIVE_INFINITY, 0.5, 0.4], [1]],
    [[null, 0.5], []],
    [[Number.NaN, 0.5], []],
    [[null, null], []],
    [[0.5], []],
  ])('of %j are %j', (means, expected) => expect(best(means)).toEqual(expected));

  it('have the lowest rate of errors', () => {
    expect(best([0.1, 0.02], 'lowest')).toEqual([1]);
    expect(best([10, 9], 'lowest')).toEqual([1]);
    expect(best([0, 0.2, null], 'lowest')).toEqual([0]);
  });

  it('are no controls', () => {
    expect(best([0.1, 0.2, 0.9], 'highest', [2])).toEqual([1]);
    expect(best([0.1, 0.2, 0], 'lowest', [2])).toEqual([0]);
    expect(best([0.1, 0.2], 'highest', [1])).toEqual([]);
  });
});

test('is the same in Markdown and in LaTeX', () => {
  const tables: Table[] = [
    {
      title: 't',
      head: ['Row', 'x'],
      rows: [
        { isControl: false, cells: [{ text: 'a' }, { text: '10.000', isBest: true }] },
        { isControl: false, cells: [{ text: 'b' }, { text: '8.322' }] },
      ],
    },
  ];
  const results = {
    manifest: { name: 'm', sha256: '' },
    split: 'test',
    cases: 1,
    rows: [],
    missingControls: [],
  } as unknown as EvaluationResults;
  expect(tablesAsMarkdown(results, tables)).toContain('| a | **10.000** |\n| b | 8.322 |');
  expect(tablesAsLatex(results, tables)).toContain('a & \\textbf{10.000} \\\\\nb & 8.322 \\\\');
});

describe('rows are called', () => {
  it.each<[string[], string[]]>([
    [['/run/constant sentence'], ['run/constant sentence']],
    [
      ['/run/random report', '/run/m'],
      ['run/random report', 'm'],
    ],
    [['/run/Constant_Sentence'], ['run/Constant_Sentence']],
    // No more of the path is there.
    [['/constant sentence'], ['constant sentence (2)']],
    [
      ['/a', '/b/a'],
      ['a', 'b/a'],
    ],
    [['/'], ['/']],
    // Names that look alike once they are shown.
    [
      ['/x/a\nb', '/x/a\tb'],
      ['x/a\ufffdb', 'x/a\ufffdb (2)'],
    ],
    [['/x/a minus b'], ['a minus b']],
  ])('%j: %j', (directories, expected) => expect(modelNames(directories)).toEqual(expected));

  it('each by its own name, whatever the folders are called', () => {
    const parts = [
      'a',
      'best',
      'constant sentence',
      'random report',
      'Random-Report',
      'a (2)',
      '__proto__',
      ' a',
      'a/b',
    ];
    const folders = parts.flatMap((one) => parts.map((two) => `/${one}/${two}`));
    const names = modelNames([...folders, ...parts.map((part) => `/${part}`)].filter((_, i, all) => isFirst(all, i)));
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(CONTROL_NAMES).not.toContain(name);
  });
});

const isFirst = (all: string[], i: number): boolean =>
  all.findIndex((other) => resolve(other) === resolve(all[i] as string)) === i;
