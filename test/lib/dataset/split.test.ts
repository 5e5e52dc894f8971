/** The split: the worked counts, the same for everyone, no subject divided. */
import { execFileSync } from 'node:child_process';
import { splitSubjects } from 'brain3d';
import { fnv1a64, SplitMix64, shuffled } from '../../../lib/base/rng';
import { HEALTHY_REPORTS, healthyReport } from '../../../lib/dataset/healthy-reports';
import { findLeaks, joinedSide, type ScanOfSubject, type Split, splitSizes } from '../../../lib/dataset/split';
import type { Laterality } from '../../../lib/reading/laterality';
import { ROOT } from '../../support/child';

const STRATA: [name: string, side: Laterality, count: number, sizes: [number, number, number]][] = [
  ['glioma', 'left', 157, [109, 15, 33]],
  ['glioma', 'right', 150, [105, 15, 30]],
  ['glioma', 'bilateral', 54, [37, 5, 12]],
  ['glioma', 'unknown', 8, [5, 1, 2]],
  ['healthy', 'none', 99, [69, 9, 21]],
];

/** 369 patients and 99 controls, as the paper has them. */
function paperScans(): ScanOfSubject[] {
  return STRATA.flatMap(([name, laterality, count]) =>
    Array.from({ length: count }, (_, index) => ({
      subject: `${name}-${laterality}-${index}`,
      class: name,
      laterality,
    })),
  );
}

const count = (splits: Iterable<Split>) => {
  const counts = { train: 0, val: 0, test: 0 };
  for (const split of splits) counts[split]++;
  return Object.values(counts);
};

describe('the split', () => {
  it('has the worked counts, in each stratum and in all', () => {
    const splits = splitSubjects(paperScans(), 42);
    expect(count(splits.values())).toEqual([325, 45, 98]);
    for (const [name, side, , sizes] of STRATA) {
      const own = [...splits].filter(([subject]) => subject.startsWith(`${name}-${side}-`));
      expect(count(own.map(([, split]) => split))).toEqual(sizes);
    }
  });

  it('does not depend on the order of the scans', () => {
    const scans = paperScans();
    const expected = splitSubjects(scans, 42);
    const other = splitSubjects(shuffled(scans, new SplitMix64(7)), 42);
    expect(new Map([...other].sort())).toEqual(new Map([...expected].sort()));
  });

  it('depends on the seed, not on other strata', () => {
    const scans = paperScans();
    const membersOf = (splits: Map<string, Split>, prefix: string) =>
      [...splits].filter(([subject, split]) => split === 'test' && subject.startsWith(prefix)).map(([s]) => s);
    const all = membersOf(splitSubjects(scans, 42), 'glioma-left');
    expect(membersOf(splitSubjects(scans, 43), 'glioma-left')).not.toEqual(all);
    const alone = scans.filter(({ class: name, laterality }) => name === 'glioma' && laterality === 'left');
    expect(membersOf(splitSubjects(alone, 42), 'glioma-left')).toEqual(all);
  });

  it('is the same in another process, and has not changed since it was written down', () => {
    const script = `
      const { splitSubjects } = require('brain3d');
      const scans = Array.from({ length: 20 }, (_, i) => ({ subject: 's' + i, class: 'glioma', laterality: 'left' }));
      const splits = splitSubjects(scans.reverse(), 42);
      console.log([...splits].filter(([, split]) => split !== 'train').map(([s, split]) => s + ':' + split).sort().join());`;
    const output = execFileSync(process.execPath, ['--eval', script], { cwd: ROOT, encoding: 'utf8' }).trim();
    expect(output).toBe(WRITTEN_DOWN);
  });

  it('never divides a subject, whose side is that of all its scans', () => {
    const scans = Array.from({ length: 12 }, (_, index): ScanOfSubject[] => [
      { subject: `s${index}`, class: 'glioma', laterality: 'left' },
      { subject: `s${index}`, class: 'glioma', laterality: 'right' },
    ]).flat();
    const splits = splitSubjects(scans, 1);
    expect(splits.size).toBe(12);
    expect(count(splits.values())).toEqual([8, 1, 3]);
    const together = [...scans, { subject: 't', class: 'glioma', laterality: 'bilateral' as const }];
    expect(count(splitSubjects(together, 1).values())).toEqual([9, 1, 3]);
  });

  it('refuses a subject of two classes', () => {
    const scans: ScanOfSubject[] = [
      { subject: 's', class: 'glioma', laterality: 'left' },
      { subject: 's', class: 'healthy', laterality: 'none' },
    ];
    expect(() => splitSubjects(scans, 1)).toThrow("expected one class for 's', got glioma and healthy");
  });
});

/** A list made by an implementation in Python of the rule in docs/datasets.md. */
const WRITTEN_DOWN = 's0:test,s11:test,s12:val,s16:val,s3:test,s7:test';

test.each([
  [0, [0, 0, 0]],
  [1, [1, 0, 0]],
  [2, [2, 0, 0]],
  [3, [2, 1, 0]],
  [4, [2, 1, 1]],
  [10, [7, 1, 2]],
  [90, [62, 9, 19]],
])('of %s subjects %j train, validate and test', (subjects, sizes) => {
  expect(Object.values(splitSizes(subjects))).toEqual(sizes);
});

test.each<[Laterality[], Laterality]>([
  [['left'], 'left'],
  [['left', 'right'], 'bilateral'],
  [['unknown', 'right'], 'right'],
  [['left', 'bilateral'], 'bilateral'],
  [['unknown'], 'unknown'],
  [['none'], 'none'],
])('the scans %j make the subject %s', (sides, joined) => {
  expect(joinedSide(new Set(sides))).toBe(joined);
});

test('leaks are found', () => {
  const scan = (subject: string, split: Split) => ({ subject, split });
  expect(findLeaks([scan('b', 'test'), scan('a', 'train'), scan('b', 'train'), scan('a', 'train')])).toEqual([
    ['b', ['train', 'test']],
  ]);
});

describe('random numbers', () => {
  it('are those of native/base/rng.h', () => {
    // Seed 1234567: the first three outputs of the published splitmix64.
    const random = new SplitMix64(1234567);
    expect([random.next(), random.next(), random.next()]).toEqual([
      6457827717110365317n,
      3203168211198807973n,
      9817491932198370423n,
    ]);
    expect(new SplitMix64(1234567).uniform()).toBe(Number(6457827717110365317n >> 11n) / 2 ** 53);
  });

  it('shuffle every order about equally often', () => {
    const counts = new Map<string, number>();
    const random = new SplitMix64(3);
    for (let trial = 0; trial < 6000; trial++) {
      const order = shuffled(['a', 'b', 'c'], random).join('');
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    expect(counts.size).toBe(6);
    // Five standard deviations of a binomial with p = 1/6.
    for (const number of counts.values()) expect(Math.abs(number - 1000)).toBeLessThan(145);
  });
});

describe('reports of healthy subjects', () => {
  it('are chosen by FNV-1a of the subject, whose published values these are', () => {
    expect(fnv1a64('')).toBe(0xcbf29ce484222325n);
    expect(fnv1a64('a')).toBe(0xaf63dc4c8601ec8cn);
    expect(fnv1a64('foobar')).toBe(0x85944171f73967e8n);
    expect(healthyReport('a', 'FLAIR')).toBe(HEALTHY_REPORTS[Number(0xaf63dc4c8601ec8cn % 7n)]);
  });

  it('name no side and no finding as present, and name the sequence', () => {
    expect(new Set(HEALTHY_REPORTS).size).toBe(7);
    for (const report of HEALTHY_REPORTS) {
      expect(report).toMatch(/^[A-Z].{20,}\.$/);
      expect(report).toContain('FLAIR');
      expect(report).not.toMatch(/\b(left|right|bilateral)/i);
    }
    const all = new Set(Array.from({ length: 200 }, (_, index) => healthyReport(`sub-${index}`, 'T2w')));
    expect(all.size).toBe(7);
    for (const report of all) expect(report).toMatch(/T2-weighted/);
  });
});
