/**
 * Makes `report.html`: tables, confusion, plots, and every case, worst first. Nothing on the page comes from elsewhere.
 */

import { DISCLAIMER } from '../base/disclaimer';
import { escapeHtml, htmlPage } from '../base/html';
import { byText } from '../base/sort';
import type { ManifestEntry } from '../dataset/manifest';
import type { CaseErrors } from '../metrics/case-errors';
import type { ByMetric, Pick } from '../metrics/case-scores';
import type { Column } from '../metrics/text-metrics';
import { forestPlot } from './forest-plot';
import { highlighted, sideFault } from './highlight';
import { type EvaluationResults, type Row, textFlags } from './results';
import type { GroupScores } from './score-rows';
import type { CaseTraits } from './subgroups';
import { notes } from './table-files';
import { type Cell, makeTables, type Table } from './tables';

export interface PageContent {
  results: EvaluationResults;
  cases: { entry: ManifestEntry; traits: CaseTraits; picture: Uint8Array | null }[];
  rows: { row: Row; means: ByMetric<Column> }[];
}

const STYLE = `
body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 1400px; padding: 0 1em; color: #222; }
table { border-collapse: collapse; margin: .5em 0 1.5em; font-size: 12.5px; }
td, th { text-align: left; padding: .25em .7em .25em 0; border-bottom: 1px solid #ddd; white-space: nowrap; }
tr.control td { color: #555; font-style: italic; }
div.wide { overflow-x: auto; }
.notice { border-left: 4px solid #d55e00; padding-left: 1em; }
svg { max-width: 100%; height: auto; }
article { border-top: 2px solid #bbb; padding: 1em 0; display: grid; grid-template-columns: 460px 1fr; gap: 1.5em; }
article img { width: 448px; background: #000; }
article h3, article h4 { margin: 0 0 .3em; }
.text { margin: 0 0 .8em; }
.scores { font-size: 12.5px; color: #555; }
.fault { color: #8a4b00; font-weight: bold; }
.inverted { color: #fff; background: #b00020; padding: 0 .4em; }
mark { background: none; color: inherit; border-radius: 2px; padding: 0 .1em; }
mark.side { background: #cfe8ff; }
mark.uncounted { background: #eee; }
mark.anatomy { background: #e3f4e1; }
mark.pathology { background: #fff3c4; }
mark.denied { text-decoration: line-through; text-decoration-color: #999; }
mark.missed, mark.invented { outline: 2px dotted #d55e00; }
mark.wrong { background: #b00020; color: #fff; font-weight: bold; }`;

export function evaluationPage({ results, cases, rows }: PageContent): string {
  const { manifest, split } = results;
  const body = `<h1>Evaluation on ${escapeHtml(manifest.name)}, split ${escapeHtml(split)}: ${results.cases} cases</h1>
<p class="notice">${escapeHtml(DISCLAIMER)}</p>
${makeTables(results).map(tableHtml).join('\n')}
<ul>${notes(results)
    .map((note) => `<li>${escapeHtml(note)}</li>`)
    .join('\n')}</ul>
<h2>Side of the lesion (strict): rows are references, columns generations</h2>
${results.rows.map(({ name, errors }) => confusionHtml(name, errors.strict.lateralityConfusion)).join('\n')}
<h2>Subgroups</h2>
${results.subgroups.map((group) => subgroupHtml(group, results)).join('\n')}
<h2>Cases, worst first</h2>
<p>Ordered by the mean over models of strict clinical F1, then of ROUGE-L. Pictures are in radiological convention: the patient's
right is on the image's left. Marks: <mark class="side">side</mark> <mark class="wrong">opposite side</mark>
<mark class="anatomy">place</mark> <mark class="pathology">finding</mark> <mark class="denied">denied</mark>
<mark class="missed">missed or invented</mark>; what each is stands in its tooltip.</p>
${worstFirst(cases, rows)
  .map((i) => caseHtml(i, cases, rows))
  .join('\n')}`;
  return htmlPage({ title: 'brain3d evaluation', style: STYLE, policy: 'img-src data:', body });
}

function tableHtml({ title, head, rows }: Table): string {
  const body = rows.map(
    ({ cells, isControl }) => `<tr${isControl ? ' class="control"' : ''}>${cells.map(cellHtml).join('')}</tr>`,
  );
  return `<h2>${escapeHtml(title)}</h2>
<div class="wide"><table><tr>${head.map((cell) => `<th>${escapeHtml(cell)}</th>`).join('')}</tr>
${body.join('\n')}</table></div>`;
}

/** Writes the interval below its mean. */
function cellHtml({ text, isBest }: Cell): string {
  const shown = escapeHtml(text).replace(/ \[/, '<br>[');
  return `<td>${isBest ? `<b>${shown}</b>` : shown}</td>`;
}

function confusionHtml(name: string, matrix: CaseErrors['lateralityConfusion']): string {
  const sides = Object.keys(matrix) as (keyof typeof matrix)[];
  const head = sides.map((side) => `<th>${side}</th>`).join('');
  const body = sides.map(
    (from) => `<tr><th>${from}</th>${sides.map((to) => `<td>${matrix[from][to]}</td>`).join('')}</tr>`,
  );
  return `<table><caption>${escapeHtml(name)}</caption><tr><th></th>${head}</tr>${body.join('')}</table>`;
}

const PLOTTED: [title: string, pick: Pick][] = [
  ['Laterality F1 (strict)', (scores) => scores.clinical.strict.laterality],
  ['Anatomy F1 (strict)', (scores) => scores.clinical.strict.anatomy],
  ['Pathology F1 (strict)', (scores) => scores.clinical.strict.pathology],
  ['ROUGE-L', (scores) => scores.rougeL],
];

function subgroupHtml(
  { name, basis, groups, unavailable }: EvaluationResults['subgroups'][number],
  results: EvaluationResults,
) {
  const heading = `<h3>By ${name}</h3><p>${escapeHtml(basis)}.</p>`;
  if (unavailable !== null) return `${heading}<p class="fault">Unavailable: ${escapeHtml(unavailable)}.</p>`;
  const scoresOf = (r: number, group: string) =>
    results.rows[r]?.subgroups.find((item) => item.subgroup === name && item.group === group) as GroupScores;
  const panels = PLOTTED.map(([title, pick]) => ({
    title,
    values: groups.map((group) => results.rows.map((_, r) => pick(scoresOf(r, group.name)))),
  }));
  const labels = groups.map((group) => `${group.name} (${group.cases})`);
  return `${heading}${forestPlot(
    labels,
    results.rows.map((row) => row.name),
    panels,
  )}`;
}

function valueAt(column: Column, row: number): number | null {
  return column instanceof Float64Array ? (column[row] as number) : null;
}

/** Sorts the indices of cases by the scores of models, worst first. Controls do not count. */
function worstFirst(cases: PageContent['cases'], rows: PageContent['rows']): number[] {
  const models = rows.filter(({ row }) => row.kind === 'model');
  const mean = (i: number, picks: readonly Pick[]) => {
    const values = models.flatMap(({ means }) => picks.map((pick) => valueAt(pick(means), i) ?? 0));
    return values.reduce((sum, value) => sum + value, 0) / values.length;
  };
  const strict = PLOTTED.slice(0, 3).map(([, pick]) => pick);
  const rougeL = PLOTTED.slice(3).map(([, pick]) => pick);
  const keys = cases.map(({ entry }, i) => ({ i, id: entry.id, strict: mean(i, strict), rougeL: mean(i, rougeL) }));
  keys.sort((a, b) => a.strict - b.strict || a.rougeL - b.rougeL || byText(a.id, b.id));
  return keys.map(({ i }) => i);
}

function caseHtml(i: number, cases: PageContent['cases'], rows: PageContent['rows']): string {
  const { entry, traits, picture } = cases[i] as PageContent['cases'][number];
  const models = rows.filter(({ row }) => row.kind === 'model');
  const size = traits.lesionMl === null ? [] : [`${traits.lesionMl.toFixed(1)} ml`];
  const count = traits.focality === null ? [] : [`${traits.focality} (${traits.focalityBasis})`];
  const tags = [entry.class, entry.source, entry.laterality, ...size, ...count].map(escapeHtml).join(' &middot; ');
  const first = models[0]?.row.runs[0]?.texts[i]?.text ?? '';
  const image =
    picture === null
      ? '<p class="fault">no picture: the scan cannot be preprocessed</p>'
      : `<img alt="Slices of ${escapeHtml(entry.id)}" src="data:image/png;base64,${Buffer.from(picture).toString('base64')}">`;
  return `<article id="${escapeHtml(entry.id)}">
<div><h3>${escapeHtml(entry.id)}</h3><p class="scores">${tags}</p>${image}</div>
<div><h4>Reference${models.length > 1 ? `, marked against ${escapeHtml((models[0] as (typeof models)[number]).row.name)}` : ''}</h4><p class="text">${highlighted(entry.report, first, 'missed')}</p>
${models.map((model) => generationsHtml(i, entry.report, model)).join('\n')}</div>
</article>`;
}

function generationsHtml(i: number, reference: string, { row, means }: PageContent['rows'][number]): string {
  const texts = row.runs.map(({ seed, texts: made }) => {
    const text = made[i] as (typeof made)[number];
    const { failed, ...flags } = textFlags(text);
    const raised = Object.entries(flags).flatMap(([name, isRaised]) => (isRaised ? [name] : []));
    const side = sideFault(reference, text.text);
    const faults = [
      ...(failed ? [`<span class="fault">failed: ${escapeHtml(text.error?.message ?? '')}</span>`] : []),
      ...(side === null ? [] : [`<span class="fault${side.isInverted ? ' inverted' : ''}">${side.text}</span>`]),
      ...raised.map((name) => `<span class="fault">${name}</span>`),
    ];
    const which = row.runs.length > 1 ? `seed ${seed}: ` : '';
    return `<p class="text">${which}${faults.join(' &middot; ')}${faults.length > 0 ? '<br>' : ''}${highlighted(text.text, reference, 'invented')}</p>`;
  });
  const scores = SCORES.map(([name, pick]) => {
    const value = valueAt(pick(means), i);
    return value === null ? '' : `${name} ${value.toFixed(3)}`;
  });
  return `<h4>${escapeHtml(row.name)}</h4>${texts.join('\n')}<p class="scores">${scores.filter((score) => score !== '').join(' &middot; ')}</p>`;
}

const SCORES: [name: string, pick: Pick][] = [
  ['BLEU-1', (scores) => scores.bleu1],
  ['BLEU-4', (scores) => scores.bleu4],
  ...PLOTTED.slice(3),
  ['METEOR', (scores) => scores.meteor],
  ['BERTScore', (scores) => scores.bertscore],
  ['CIDEr', (scores) => scores.cider],
  ...PLOTTED.slice(0, 3),
];
