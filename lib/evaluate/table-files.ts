/** Writes `table.md` and `table.tex`. */
import { TEXT_METRIC_NAMES, textMetric } from '../metrics/text-metrics';
import type { EvaluationResults } from './results';
import { type Cell, makeTables, type Table } from './tables';

/** @param tables the tables to write */
export function tablesAsMarkdown(results: EvaluationResults, tables = makeTables(results)): string {
  const texts = tables.map(
    ({ title, head, rows }) =>
      `## ${title}\n\n${line(head)}\n${line(head.map(() => '---'))}\n${rows.map(({ cells }) => line(cells.map(inMarkdown))).join('\n')}\n`,
  );
  return [
    `# Evaluation on ${plain(results)}\n`,
    ...texts,
    notes(results)
      .map((note) => `- ${note}\n`)
      .join(''),
  ].join('\n');
}

function line(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}

function inMarkdown({ text, isBest }: Cell): string {
  const escaped = text.replace(/[\\|*_`<>]/g, (character) => `\\${character}`);
  return isBest ? `**${escaped}**` : escaped;
}

/** @param tables the tables to write */
export function tablesAsLatex(results: EvaluationResults, tables = makeTables(results)): string {
  const header = [
    '% Made by brain3d evaluate. Needs the packages booktabs and graphicx.',
    ...notes(results).map((note) => `% ${note}`),
  ];
  return `${header.join('\n')}\n${tables.map(inLatex).join('\n')}`;
}

function inLatex({ title, head, rows }: Table): string {
  const row = (cells: readonly string[]) => `${cells.join(' & ')} \\\\`;
  const body = (isControl: boolean) =>
    rows.filter((item) => item.isControl === isControl).map(({ cells }) => row(cells.map(cellInLatex)));
  const [models, controls] = [body(false), body(true)];
  return [
    '\\begin{table*}',
    `\\caption{${escapeLatex(title)}}`,
    '\\centering',
    '\\resizebox{\\textwidth}{!}{%',
    `\\begin{tabular}{l${'c'.repeat(head.length - 1)}}`,
    '\\toprule',
    row(head.map(escapeLatex)),
    '\\midrule',
    ...models,
    ...(models.length > 0 && controls.length > 0 ? ['\\midrule'] : []),
    ...controls,
    '\\bottomrule',
    '\\end{tabular}}',
    '\\end{table*}\n',
  ].join('\n');
}

function cellInLatex({ text, isBest }: Cell): string {
  return isBest ? `\\textbf{${escapeLatex(text)}}` : escapeLatex(text);
}

const LATEX: Record<string, string> = {
  '\\': '\\textbackslash{}',
  '~': '\\textasciitilde{}',
  '^': '\\textasciicircum{}',
};

export function escapeLatex(text: string): string {
  return text.replace(/[\\~^{}&%$#_]/g, (character) => LATEX[character] ?? `\\${character}`);
}

function plain({ manifest, split, cases }: EvaluationResults): string {
  return `${manifest.name}, split ${split}, ${cases} cases`;
}

/** Returns the notes that a reader of the tables must know. */
export function notes(results: EvaluationResults): string[] {
  const { rows, resamples, seed, missingControls, disclaimer } = results;
  const controls = rows.flatMap(({ name, description }) =>
    description === null ? [] : [`Control ${name}: ${description}`],
  );
  const seeds = rows[0]?.model?.seeds.length ?? 1;
  const reasons = new Set(
    rows.flatMap((row) =>
      TEXT_METRIC_NAMES.filter((name) => textMetric(name).head !== null).flatMap((name) => {
        const metric = row[name];
        return 'unavailable' in metric ? [`${name} is n/a: ${metric.unavailable}`] : [];
      }),
    ),
  );
  return [
    `Mean [95 % bootstrap interval over cases, ${resamples} resamples, seed ${seed}]; bold is the best model.`,
    ...(seeds > 1 ? [`Each case is the mean over ${seeds} sampling seeds.`] : []),
    "Lat, Anat, Path: clinical F1 by the rule of the paper's authors; (strict): what the text asserts.",
    'A failed generation counts as an empty text.',
    ...controls,
    ...missingControls.map(({ name, reason }) => `Control ${name} is missing: ${reason}`),
    ...reasons,
    disclaimer,
  ];
}
