/** Draws a run's log as panels of curves in SVG, without any library. */
import { escapeHtml } from '../base/html';
import type { LogLine, StepLine, ValidationLine } from './log';

interface Series {
  label: string;
  /** The points (step, value), ascending. */
  points: readonly (readonly [x: number, y: number])[];
  /** Draws a mark at each point instead of a line only. */
  isMarked?: boolean;
}

export interface Panel {
  title: string;
  /** Makes the y axis logarithmic, for values that span orders of magnitude. */
  isLog?: boolean;
  series: Series[];
}

const PANEL = { width: 460, height: 240, left: 64, right: 16, top: 34, bottom: 34 };
const COLUMNS = 2;
/** Colours that people with colour blindness can tell apart too (Okabe and Ito). */
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00'];
/** The largest number of points of a line. A longer line is thinned to the extremes of bins. */
const MOST_POINTS = 600;

/** Makes the panels of loss, learning rate, gradient norm and gate by step. */
export function panelsOf(lines: readonly LogLine[]): Panel[] {
  const steps = lines.filter((line): line is StepLine => line.event === 'step');
  const validations = lines.filter((line): line is ValidationLine => line.event === 'validation');
  const by = (value: (line: StepLine) => number): Series['points'] => steps.map((line) => [line.step, value(line)]);
  const groups = Object.keys(steps[0]?.lr ?? {});
  return [
    {
      title: 'loss',
      series: [
        { label: 'training', points: by(({ loss }) => loss) },
        { label: 'validation', points: validations.map(({ step, loss }) => [step, loss]), isMarked: true },
      ],
    },
    {
      title: 'learning rate',
      series: groups.map((group) => ({ label: group, points: by(({ lr }) => lr[group] ?? 0) })),
    },
    {
      title: 'norm of the gradient',
      isLog: true,
      series: [{ label: 'before clipping', points: by((line) => line.grad_norm) }],
    },
    { title: 'gate (vis_scale)', series: [{ label: 'vis_scale', points: by((line) => line.vis_scale) }] },
  ];
}

/** Draws all panels in one picture. */
export function drawCurves(title: string, panels: readonly Panel[]): string {
  const rows = Math.ceil(panels.length / COLUMNS);
  const [width, height] = [COLUMNS * PANEL.width, rows * PANEL.height + 30];
  const drawn = panels.map((panel, index) => {
    const [x, y] = [(index % COLUMNS) * PANEL.width, Math.floor(index / COLUMNS) * PANEL.height + 30];
    return `<g transform="translate(${x},${y})">${drawPanel(panel)}</g>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="sans-serif" font-size="11">`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    `<text x="12" y="20" font-size="15" font-weight="bold">${escapeHtml(title)}</text>`,
    ...drawn,
    '</svg>\n',
  ].join('\n');
}

function drawPanel(panel: Panel): string {
  const isLog = panel.isLog ?? false;
  const series = panel.series
    .map((one) => ({ ...one, points: one.points.filter(([, y]) => Number.isFinite(y) && (!isLog || y > 0)) }))
    .filter(({ points }) => points.length > 0);
  const heading = `<text x="${PANEL.left}" y="18" font-weight="bold">${escapeHtml(panel.title)}${isLog ? ' (log)' : ''}</text>`;
  if (series.length === 0) return `${heading}<text x="${PANEL.left}" y="60" fill="#666">nothing was logged</text>`;
  const value = (y: number): number => (isLog ? Math.log10(y) : y);
  const x = axis(
    series.flatMap(({ points }) => points.map(([at]) => at)),
    PANEL.left,
    PANEL.width - PANEL.right,
  );
  const y = axis(
    series.flatMap(({ points }) => points.map(([, at]) => value(at))),
    PANEL.height - PANEL.bottom,
    PANEL.top,
  );
  const ticks = y.ticks.map((tick) => {
    const at = y.place(tick).toFixed(1);
    const label = isLog ? String(Number((10 ** tick).toPrecision(2))) : short(tick, y.size);
    return `<line x1="${PANEL.left}" x2="${PANEL.width - PANEL.right}" y1="${at}" y2="${at}" stroke="#ddd"/><text x="${PANEL.left - 6}" y="${at}" dy="4" text-anchor="end">${label}</text>`;
  });
  const bottom = PANEL.height - PANEL.bottom;
  const ends = x.ticks.map(
    (tick) =>
      `<text x="${x.place(tick).toFixed(1)}" y="${bottom + 16}" text-anchor="middle">${short(tick, x.size)}</text>`,
  );
  const lines = series.map(({ points, isMarked }, index) => {
    const colour = COLOURS[index % COLOURS.length];
    const at = thinned(points).map(([px, py]) => [x.place(px).toFixed(1), y.place(value(py)).toFixed(1)] as const);
    const marks = isMarked
      ? at.map(([cx, cy]) => `<circle cx="${cx}" cy="${cy}" r="2.5" fill="${colour}"/>`).join('')
      : '';
    return `<polyline fill="none" stroke="${colour}" stroke-width="1.3" points="${at.map((pair) => pair.join(',')).join(' ')}"/>${marks}`;
  });
  const legend = series.map(({ label }, index) => {
    const place = PANEL.left + 150 + (index % 3) * 95;
    const line = 12 + Math.floor(index / 3) * 12;
    return `<rect x="${place}" y="${line - 7}" width="8" height="8" fill="${COLOURS[index % COLOURS.length]}"/><text x="${place + 12}" y="${line}" font-size="10">${escapeHtml(label)}</text>`;
  });
  const step = `<text x="${PANEL.width - PANEL.right}" y="${PANEL.height - 4}" text-anchor="end" fill="#666">step</text>`;
  return [heading, ...ticks, ...ends, ...lines, ...legend, step].join('');
}

/** Maps values to pixels, with round ticks. */
function axis(values: readonly number[], from: number, to: number) {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of values) [low, high] = [Math.min(low, value), Math.max(high, value)];
  // A constant is drawn in the middle.
  if (low === high) [low, high] = [low - (Math.abs(low) * 0.05 || 1), high + (Math.abs(high) * 0.05 || 1)];
  const rough = (high - low) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const size = ([1, 2, 5, 10].find((factor) => factor * power >= rough) as number) * power;
  const ticks: number[] = [];
  for (let tick = Math.ceil(low / size); tick * size <= high; tick++) ticks.push(tick * size);
  return { ticks, size, place: (value: number): number => from + ((value - low) / (high - low)) * (to - from) };
}

/** Thins points to the lowest and the highest of each of many bins, in order, so that spikes stay visible. */
function thinned(points: Series['points']): Series['points'] {
  if (points.length <= MOST_POINTS) return points;
  const size = Math.ceil(points.length / (MOST_POINTS / 2));
  const kept: (readonly [number, number])[] = [];
  for (let begin = 0; begin < points.length; begin += size) {
    const bin = points.slice(begin, begin + size);
    const low = bin.reduce((a, b) => (b[1] < a[1] ? b : a));
    const high = bin.reduce((a, b) => (b[1] > a[1] ? b : a));
    kept.push(...(low === high ? [low] : low[0] < high[0] ? [low, high] : [high, low]));
  }
  return kept;
}

/** Formats a value with as many digits as tell apart ticks that differ by `size`. */
function short(value: number, size: number): string {
  const largest = Math.max(Math.abs(value), size);
  if (size < 1e-3 || largest >= 1e6) return value === 0 ? '0' : Number(value.toPrecision(3)).toExponential();
  return value.toFixed(Math.max(0, -Math.floor(Math.log10(size) + 1e-9)));
}
