/** Tests of what evaluation makes of texts: rows, controls, tests, groups, files; with models whose texts a test chooses. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type EvaluateOptions,
  type EvaluationResults,
  evaluate,
  type ManifestEntry,
  readManifest,
  scoreTexts,
} from 'brain3d';
import { runEvaluation } from '../../../dist/evaluate/evaluate';
import { snakeCase } from '../../../lib/base/key-case';
import { CONSTANT_REPORT, makeControls } from '../../../lib/evaluate/controls';
import { bootstrap, pairedBootstrap } from '../../../lib/metrics/bootstrap';
import { isDegenerate } from '../../../lib/metrics/statistics';
import { type Loose, ROOT } from '../../support/child';
import { CASES, type FakeModel, fakeModels, IDS, readResults, writeCases } from '../../support/evaluation';
import { decodePng } from '../../support/png';

let dir: string;
let data: string;
/** The results of two models, for tests that only look. */
let main: { results: EvaluationResults; out: string };
const ENCODER = { roberta: join(ROOT, 'test/golden/models/roberta'), bertscoreLayer: 2, device: 'cpu' };
/** The results of a model that writes anything but reports. */
let odd: string;
const ODD_NAME = 'a_b&<c>';
const RUDE = '<script>alert("left")</script> 50 % of a_b & c | d, "left" lesion';
const LOOP = 'The lesion is here. The lesion is here.';
const ODD: FakeModel = { answers: { ...CASES, left: LOOP, right: RUDE, both: '' }, cut: ['right', 'well'] };
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'brain3d-evaluate-'));
  data = await writeCases(join(dir, 'data'));
  const made = join(dir, 'main');
  odd = join(dir, 'odd');
  await run({ [ODD_NAME]: ODD }, { out: odd });
  main = { results: (await run({ good: GOOD, bad: BAD }, { ...ENCODER, out: made })).results, out: made };
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

let out: string;
beforeEach(() => {
  out = mkdtempSync(join(dir, 'out-'));
});

const GOOD: FakeModel = { answers: { ...CASES, right: CASES.left } };
const BAD: FakeModel = { answers: { ...CASES, left: 'Nothing to see here.', both: 'Nothing to see here.' } };

/** Evaluates with the shared cache, so that scans are preprocessed once for all tests. */
async function run(models: Record<string, FakeModel>, options: Partial<EvaluateOptions> = {}) {
  const fakes = fakeModels(models);
  const directories = Object.keys(models).map((name) => join(dir, name));
  const shared = { models: directories, data, out, cache: join(dir, 'cache'), skullStrip: 'none' as const, workers: 1 };
  const results = await runEvaluation({ ...shared, ...options }, fakes.open);
  return { ...fakes, results };
}

const rowOf = (document: Loose, name: string): Loose => document.rows.find((row: Loose) => row.name === name);
const groupsOf = (row: Loose, subgroup: string) => row.subgroups.filter((group: Loose) => group.subgroup === subgroup);

describe('a row', () => {
  it('has the metrics of `brain3d metrics --json` over the same texts', async () => {
    const row = rowOf(readResults(main.out), 'good');
    const entry = (id: (typeof IDS)[number]) => ({ id, text: CASES[id], class: id === 'well' ? 'healthy' : 'glioma' });
    const hypotheses = IDS.map((id) => ({ id, text: GOOD.answers[id] as string }));
    const expected = await scoreTexts(IDS.map(entry) as Loose, hypotheses, ENCODER);
    expect(row).toMatchObject(JSON.parse(JSON.stringify(snakeCase(expected))));
    expect(row.model).toMatchObject({ phase: 'lora-sft', checkpoint: 'digest of good', seeds: [0] });
    expect(row.errors.strict.laterality_confusion.right).toEqual({ left: 1, right: 0, bilateral: 0, unknown: 0 });
    expect(row.errors.strict.inversion_rate).toMatchObject({ mean: 1 / 3, n: 3 });
  });

  it('has a BERTScore where there is an encoder, the same for equal texts everywhere', () => {
    const [good, bad] = [rowOf(main.results, 'good'), rowOf(main.results, 'bad')];
    expect(good.roberta.layer).toBe(2);
    expect(good.subsets.healthy.bertscore.mean).toBeCloseTo(1, 5);
    expect(bad.bertscore.mean).toBeLessThan(good.bertscore.mean);
  });

  it('asks for the encoder before anything is generated', async () => {
    const fakes = fakeModels({ good: GOOD });
    const options = { models: ['good'], data, out, roberta: dir };
    await expect(runEvaluation(options, fakes.open)).rejects.toMatchObject({ code: 'BRAIN3D_NOT_FOUND' });
    expect(fakes.events).toEqual([]);
  });

  it('flags texts that are cut, repeat themselves or say nothing', () => {
    expect(rowOf(readResults(odd), ODD_NAME).generations).toEqual({
      total: 5,
      failed: 0,
      empty: 1,
      truncated: 2,
      degenerate: 1,
    });
    const lines = readFileSync(join(odd, 'cases.csv'), 'utf8').split('\n');
    const flags = (id: string) => lines.find((line) => line.startsWith(`${ODD_NAME},0,${id},`))?.match(/(true|false)/g);
    expect(flags('left')).toEqual(['false', 'false', 'true', 'false']);
    expect(flags('right')).toEqual(['false', 'true', 'false', 'false']);
    expect(flags('both')).toEqual(['true', 'false', 'false', 'false']);
  });

  it.each<[boolean, string]>([
    [true, 'edema edema edema edema'],
    [true, 'A b c d. A b c d e f g h i j a b c d e f g h i j'],
    [false, CASES.left],
    [false, ''],
  ])('repeats itself: %s for "%s"', (expected, text) => expect(isDegenerate(text)).toBe(expected));
});

describe('controls', () => {
  it('stand in every table: a constant sentence and a report of the training split', () => {
    const { results, out: made } = main;
    expect(results.rows.map(({ name, kind }) => [name, kind])).toEqual([
      ['good', 'model'],
      ['bad', 'model'],
      ['constant sentence', 'control'],
      ['random report', 'control'],
    ]);
    // Counted by hand: lesion, edema, necrosis, compression against {lesion, edema}, {lesion, necrosis}, {lesion, edema}, {mass,
    // compression}, and against nothing.
    const strict = [2 / 3, 2 / 3, 2 / 3, 1 / 3, 0];
    const expected = strict.reduce((sum, value) => sum + value, 0) / 5;
    expect(rowOf(results, 'constant sentence').clinical.strict.pathology.mean).toBeCloseTo(expected, 12);
    const csv = readFileSync(join(made, 'cases.csv'), 'utf8');
    expect(csv.split(CONSTANT_REPORT)).toHaveLength(6);
    expect(csv).toMatch(/^random report,,left,.*training lesion/m);
    for (const file of ['table.md', 'table.tex', 'report.html'])
      for (const name of ['constant sentence', 'random report'])
        expect(readFileSync(join(made, file), 'utf8')).toContain(name);
  });

  it('draw the same reports with the same seed, whatever the order, never those of the subject itself', async () => {
    const { entries } = await readManifest(data);
    const many = Array.from({ length: 60 }, (_, i) => ({ ...(entries[0] as ManifestEntry), id: `case-${i}` }));
    const training = entries.filter(({ split }) => split === 'train');
    const own = { ...(training[0] as ManifestEntry), subject: many[0]?.subject as string, report: 'Its own.' };
    const drawn = (cases: ManifestEntry[], seed: number) =>
      makeControls(cases, [...training, own], seed)[1]?.texts as string[];
    const first = drawn(many, 1);
    expect(drawn(many.toReversed(), 1).toReversed()).toEqual(first);
    expect(drawn(many, 2)).not.toEqual(first);
    expect(new Set(first)).toEqual(new Set(training.map(({ report }) => report)));
  });
});

describe('paired tests', () => {
  const x = Float64Array.of(0, 0.5, 1, 1, 0.25);

  it('resample both rows alike: intervals and p by hand', () => {
    // Resamples of the worked example: cases [3,4,2,4,4], [1,2,2,2,4], [3,2,4,1,3]; means of x 0.55, 0.75, 0.75.
    const settings = { seed: 42, resamples: 3 };
    const against = (value: number) => pairedBootstrap([[x, x.map(() => value)]], settings)[0];
    const above = against(0.5);
    expect(above?.difference).toBeCloseTo(0.05, 12);
    expect(above?.ci95[0]).toBeCloseTo(0.05 + 0.05 * 0.2, 12);
    expect(above?.ci95[1]).toBeCloseTo(0.25, 12);
    expect(above).toMatchObject({ p: 2 / 4, n: 5 });
    expect(against(0.6)?.p).toBe(1);
    expect(against(0.6)?.difference).toBeCloseTo(-0.05, 12);
    expect(against(2)?.p).toBe(0.5);
  });

  it('differ from unpaired ones: a constant shift has no width, and equal rows have p 1', () => {
    const settings = { seed: 42, resamples: 1000 };
    const [shifted, equal] = pairedBootstrap(
      [
        [x.map((value) => value + 0.125), x],
        [x, x],
      ],
      settings,
    );
    expect(shifted).toEqual({ difference: 0.125, ci95: [0.125, 0.125], p: 2 / 1001, n: 5 });
    expect(equal).toEqual({ difference: 0, ci95: [0, 0], p: 1, n: 5 });
    expect(bootstrap([x], settings)[0]?.ci95).not.toEqual([0.55, 0.55]);
  });

  it('stand between every two rows, over all cases and each class', () => {
    const { results } = main;
    expect(results.comparisons).toHaveLength(6 * 3);
    const [all, pathological, healthy] = results.comparisons.slice(0, 3) as Loose[];
    expect(all).toMatchObject({ first: 'good', second: 'bad', subset: 'all', cases: 5 });
    expect(pathological).toMatchObject({ subset: 'pathological', cases: 4 });
    // Laterality by hand: good is wrong in one of five, bad in two.
    expect(all.clinical.strict.laterality.difference).toBeCloseTo(1 / 5, 12);
    expect(pathological.clinical.strict.laterality.difference).toBeCloseTo(1 / 4, 12);
    const [good, bad] = [rowOf(results, 'good'), rowOf(results, 'bad')];
    expect(all.rougeL.difference).toBeCloseTo(good.rougeL.mean - bad.rougeL.mean, 12);
    expect(healthy.rougeL).toEqual({ unavailable: 'a paired test needs two cases, there are 1' });
  });
});

describe('several seeds', () => {
  const text = (seed: number) => (seed === 0 ? CASES.left : 'Nothing to see here.');
  const model: FakeModel = { answers: { ...CASES, left: text } };

  it('average case by case, and show their spread', async () => {
    const { results, calls } = await run({ model }, { seeds: 2 });
    expect(new Set(calls.map(({ seed }) => seed))).toEqual(new Set([0, 1]));
    const row = rowOf(results, 'model');
    // The left case is right with one seed of two: 0.5 among three ones and the healthy one.
    expect(row.clinical.strict.laterality).toMatchObject({ mean: 4.5 / 5, n: 5 });
    const spread = row.spread.clinical.strict.laterality;
    expect(spread).toMatchObject({ min: 4 / 5, max: 1, mean: 0.9 });
    expect(spread.standardDeviation).toBeCloseTo(Math.SQRT1_2 / 5, 12);
    expect(row.generations.total).toBe(10);
    expect(row.errors.strict.missedLesionRate.mean).toBeCloseTo(0.5 / 4, 12);
    expect(readFileSync(join(out, 'table.md'), 'utf8')).toContain('Spread over seeds');
    expect(readdirSync(join(out, 'generations')).sort()).toEqual(['model.seed-0.jsonl', 'model.seed-1.jsonl']);
  });

  it('are refused for greedy decoding', async () => {
    const options = { models: ['model'], data, out, greedy: true, seeds: 2 };
    await expect(evaluate(options)).rejects.toThrow('evaluate: expected one seed for greedy decoding');
  });
});

describe('subgroups', () => {
  it('by size in terciles with their bounds, by side, number of lesions and source', () => {
    const { results, out: made } = main;
    const named = (name: string): Loose => results.subgroups.find((group) => group.name === name);
    // 3, 12 and 40 ml: the 33.3rd and 66.7th percentile are 3 + 2/3 * 9 = 9 and 12 + 1/3 * 28 = 21.3.
    expect(named('lesion size')).toEqual({
      name: 'lesion size',
      basis: 'volume of the segmentation, of 3 of 4 pathological cases',
      unavailable: null,
      groups: [
        { name: 'small, at most 9.0 ml', cases: 1 },
        { name: 'medium, to 21.3 ml', cases: 1 },
        { name: 'large, above 21.3 ml', cases: 1 },
      ],
    });
    expect(named('side').groups).toEqual([
      { name: 'left', cases: 2 },
      { name: 'right', cases: 1 },
      { name: 'bilateral', cases: 1 },
    ]);
    expect(named('focality').basis).toContain('(3 cases), else words of the reference report (1 cases)');
    expect(named('focality').groups).toEqual([
      { name: 'single', cases: 3 },
      { name: 'multiple', cases: 1 },
    ]);
    expect(named('source').groups).toEqual([
      { name: 'bids', cases: 1 },
      { name: 'brats', cases: 4 },
    ]);
    const [left, right] = groupsOf(rowOf(results, 'good'), 'side');
    expect(left.clinical.strict.laterality).toMatchObject({ mean: 1, n: 2 });
    expect(right.errors.strict.inversionRate).toMatchObject({ mean: 1, n: 1 });
    const csv = readFileSync(join(made, 'cases.csv'), 'utf8');
    expect(csv).toMatch(/^good,0,right,glioma,brats,right,12,1,single,segmentation,/m);
    expect(csv).toMatch(/^good,0,both,glioma,brats,bilateral,,,multiple,report,/m);
    expect(csv).toMatch(/^good,0,well,healthy,bids,none,,,,,/m);
  });

  it('and controls that cannot be made are said to be missing, with the reason', async () => {
    const bare = await writeCases(join(dir, 'bare'), (entry) => {
      delete entry.segmentation;
      entry.split = entry.split === 'train' ? 'val' : entry.split;
    });
    const { results } = await run({ good: GOOD }, { data: bare });
    const noTerciles = 'terciles need three pathological cases with a segmentation that can be read, there are 0';
    expect(results.subgroups[0]).toMatchObject({ groups: [], unavailable: noTerciles });
    expect(readFileSync(join(out, 'report.html'), 'utf8')).toContain(`Unavailable: ${noTerciles}`);
    const noReports = 'the training split has no report of another subject';
    expect(results.missingControls).toEqual([{ name: 'random report', reason: noReports }]);
    expect(readFileSync(join(out, 'table.md'), 'utf8')).toContain(`Control random report is missing: ${noReports}`);
    expect((results.rows[0] as Loose).bertscore).toEqual({ unavailable: expect.stringContaining('RoBERTa') });
  });
});

describe('files', () => {
  it('are for their owner only, and the same in every run', async () => {
    const names = ['cases.csv', 'report.html', 'results.json', 'table.md', 'table.tex'];
    const contents = (folder: string) => names.map((name) => readFileSync(join(folder, name), 'utf8'));
    const first = contents(main.out);
    const isPrivate = (path: string) => (statSync(path).mode & 0o077) === 0;
    for (const path of [...names, 'generations', 'generations/good.seed-0.jsonl'])
      expect({ path, isPrivate: isPrivate(join(main.out, path)) }).toEqual({ path, isPrivate: true });
    await run({ good: GOOD, bad: BAD }, ENCODER);
    expect(contents(out)).toEqual(first);
    expect(first.join('')).not.toContain(dir);
  });

  it('escape what models write', () => {
    const page = readFileSync(join(odd, 'report.html'), 'utf8');
    expect(page).not.toContain('<script');
    expect(page).toContain('&lt;script&gt;');
    expect(page).not.toMatch(/(?:src|href)="(?!data:)/);
    expect(readFileSync(join(odd, 'cases.csv'), 'utf8')).toContain(
      '"<script>alert(""left"")</script> 50 % of a_b & c | d, ""left"" lesion"',
    );
    expect(readFileSync(join(odd, 'table.md'), 'utf8')).toContain('a\\_b&\\<c\\>');
    expect(readFileSync(join(odd, 'table.tex'), 'utf8')).toContain('a\\_b\\&<c>');
  });

  it('mark a side that is the opposite one, entities that are missed and invented, and show the worst first', async () => {
    await run({ good: GOOD });
    const page = readFileSync(join(out, 'report.html'), 'utf8');
    const articles = page.match(/<article id="\w+"[\s\S]*?<\/article>/g) ?? [];
    expect(articles).toHaveLength(5);
    const worst = articles[0] as string;
    expect(worst).toContain('<article id="right">');
    expect(worst).toContain('SIDE INVERTED: reference right, generation left');
    expect(worst).toMatch(/<mark class="side left wrong" title="side: left, the other text says right">left<\/mark>/);
    expect(worst).toMatch(/<mark class="anatomy missed" title="frontal, missed">frontal<\/mark>/);
    expect(worst).toMatch(/<mark class="pathology invented" title="edema, invented">edema<\/mark>/);
    expect(page).toContain('Research use only. Not a medical device.');
    const [, picture] = /src="data:image\/png;base64,([^"]+)"/.exec(worst) ?? [];
    expect(decodePng(Buffer.from(picture as string, 'base64'))).toMatchObject({ width: 448, height: 239 });
  });

  it('keep all paired tests of a model whose folder is called as a control', async () => {
    const { results } = await run({ 'constant sentence': GOOD, bad: BAD }, { out });
    const names = results.rows.map(({ name }) => name);
    expect(new Set(names).size).toBe(4);
    const table = readFileSync(join(out, 'table.md'), 'utf8').split('## Paired bootstrap, all')[1] as string;
    const firsts = [...table.matchAll(/^\| (.+?) \| (.+?) \|/gm)].slice(2).map(([, first, second]) => [first, second]);
    // Every pair but that of the two controls.
    expect(firsts.slice(0, 5)).toEqual([
      [names[0], 'bad'],
      [names[0], 'constant sentence'],
      [names[0], 'random report'],
      ['bad', 'constant sentence'],
      ['bad', 'random report'],
    ]);
  });

  it('show the best model in bold, and no control', () => {
    const table = (readFileSync(join(main.out, 'table.md'), 'utf8').split('## ')[1] as string).split('\n');
    const bold = (name: string) => table.find((line) => line.startsWith(`| ${name}`))?.includes('**');
    expect([bold('good'), bold('constant sentence'), bold('random report')]).toEqual([true, false, false]);
    expect(readFileSync(join(main.out, 'table.tex'), 'utf8')).toContain('\\textbf{');
  });
});
