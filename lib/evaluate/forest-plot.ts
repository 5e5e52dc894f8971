/** Plots means with intervals as SVG, group by group and row by row. */
import { escapeHtml } from '../base/html';
import type { Metric } from '../metrics/bootstrap';

export interface PlotPanel {
  title: string;
  /** The values by group, then by row. */
  values: Metric[][];
}

/** Colours that people with colour blindness can tell apart too (Okabe and Ito). */
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#666666', '#000000'];
const LABEL_WIDTH = 190;
const PANEL_WIDTH = 190;
const GAP = 24;
const LINE = 13;
const TOP = 40;

/** Draws panels that share groups and rows. Every metric lies in [0, 1]. */
export function forestPlot(groups: readonly string[], rows: readonly string[], panels: readonly PlotPanel[]): string {
  const groupHeight = rows.length * LINE + 10;
  const height = TOP + groups.length * groupHeight + 30 + rows.length * 16;
  const width = LABEL_WIDTH + panels.length * (PANEL_WIDTH + GAP);
  const bottom = TOP + groups.length * groupHeight;
  const labels = groups.map((name, g) =>
    text(LABEL_WIDTH - 12, TOP + g * groupHeight + groupHeight / 2 + 4, name, 'end'),
  );
  const drawn = panels.map((panel, p) => {
    const left = LABEL_WIDTH + p * (PANEL_WIDTH + GAP);
    const x = (value: number) => left + Math.min(1, Math.max(0, value)) * PANEL_WIDTH;
    const grid = [0, 0.25, 0.5, 0.75, 1].map(
      (tick) =>
        `<line x1="${n(x(tick))}" x2="${n(x(tick))}" y1="${TOP}" y2="${bottom}" stroke="#ddd"/>${text(x(tick), bottom + 14, String(tick), 'middle')}`,
    );
    const marks = panel.values.flatMap((ofGroup, g) =>
      ofGroup.map((metric, r) =>
        mark(metric, x, TOP + g * groupHeight + 10 + r * LINE, COLOURS[r % COLOURS.length] as string),
      ),
    );
    return `${text(left, TOP - 14, panel.title, 'start', 'bold')}${grid.join('')}${marks.join('')}`;
  });
  const legend = rows.map((name, r) => {
    const y = bottom + 34 + r * 16;
    return `<rect x="${LABEL_WIDTH}" y="${y - 8}" width="9" height="9" fill="${COLOURS[r % COLOURS.length]}"/>${text(LABEL_WIDTH + 15, y, name, 'start')}`;
  });
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" ` +
    `font-family="sans-serif" font-size="11" role="img">${labels.join('')}${drawn.join('')}${legend.join('')}</svg>`
  );
}

function mark(metric: Metric, x: (value: number) => number, y: number, colour: string): string {
  if ('unavailable' in metric) return '';
  const [low, high] = metric.n < 2 ? [metric.mean, metric.mean] : metric.ci95;
  const title = `<title>${metric.mean.toFixed(3)} [${low.toFixed(3)}, ${high.toFixed(3)}], n ${metric.n}</title>`;
  return (
    `<g>${title}<line x1="${n(x(low))}" x2="${n(x(high))}" y1="${y}" y2="${y}" stroke="${colour}" stroke-width="2"/>` +
    `<circle cx="${n(x(metric.mean))}" cy="${y}" r="3.5" fill="${colour}"/></g>`
  );
}

function text(x: number, y: number, words: string, anchor: string, weight = 'normal'): string {
  return `<text x="${n(x)}" y="${n(y)}" text-anchor="${anchor}" font-weight="${weight}">${escapeHtml(words)}</text>`;
}

function n(value: number): string {
  return value.toFixed(1);
}
