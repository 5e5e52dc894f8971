/**
 * Makes `curves.svg` and `report.html`, the results of a phase, from its folder. Nothing on the page comes from
 * elsewhere.
 */
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { DISCLAIMER } from '../base/disclaimer';
import { escapeHtml, htmlPage } from '../base/html';
import { writeFileAtomic } from '../files/atomic-file';
import { drawCurves, panelsOf } from './curves';
import type { LogLine, StepLine, ValidationLine } from './log';
import { LOG_FILE } from './phase-run';
import { PHASE_DEFINITIONS } from './phases';
import { RUN_FILE, type RunRecord, readRunRecord } from './run-record';

const STYLE = `
body { font: 15px/1.5 sans-serif; max-width: 960px; margin: 2em auto; padding: 0 1em; color: #222 }
table { border-collapse: collapse; margin: 1em 0 }
td, th { text-align: left; padding: .2em 1em .2em 0; border-bottom: 1px solid #ddd; overflow-wrap: anywhere }
svg { max-width: 100%; height: auto }
.notice { border-left: 4px solid #d55e00; padding-left: 1em }`;

export async function writeRunPage(dir: string): Promise<void> {
  const record = await readRunRecord(join(dir, RUN_FILE));
  const lines = await readLog(join(dir, LOG_FILE));
  const title = `Phase ${PHASE_DEFINITIONS[record.phase].paperName.toUpperCase()}: ${record.phase}`;
  const svg = drawCurves(title, panelsOf(lines));
  await writeFileAtomic(join(dir, 'curves.svg'), svg);
  await writeFileAtomic(join(dir, 'report.html'), drawPage(title, svg, record, lines));
}

/** Reads the log piece by piece, so that a long one does not hold up the event loop. */
async function readLog(path: string): Promise<LogLine[]> {
  const file = await open(path);
  const lines: LogLine[] = [];
  for await (const line of file.readLines()) lines.push(JSON.parse(line));
  return lines;
}

function drawPage(title: string, svg: string, record: RunRecord, lines: readonly LogLine[]): string {
  const steps = lines.filter((line): line is StepLine => line.event === 'step');
  const validations = lines.filter((line): line is ValidationLine => line.event === 'validation');
  const summary = [
    ['device', `${record.device}, ${record.dtype}`],
    ['steps', String(steps.length)],
    ['epochs', String(validations.length)],
    ['best validation loss', validations.length === 0 ? 'none' : String(validations.at(-1)?.best_loss)],
    ['peak memory', `${(steps.reduce((peak, line) => Math.max(peak, line.peak_bytes), 0) / 2 ** 30).toFixed(2)} GiB`],
    ['brain3d, LibTorch', `${record.versions.brain3d}, ${record.versions.torch}`],
    ['manifest (SHA-256)', record.manifest_sha256],
    ['weights it began with (SHA-256)', record.model.weights_sha256],
  ] as const;
  const epochs = validations.map(({ epoch, step, loss, epochs_without_improvement: waited }) => [
    String(epoch),
    String(step),
    loss.toFixed(6),
    waited === 0 ? 'best so far' : '',
  ]);
  const settings = Object.entries(record.settings).map(([key, value]) => [key, JSON.stringify(value)] as const);
  const body = `<h1>${escapeHtml(title)}</h1>
<p class="notice">${escapeHtml(DISCLAIMER)}</p>
${svg}
${table(['', ''], summary)}
<h2>Epochs</h2>
${table(['epoch', 'step', 'validation loss', ''], epochs)}
<h2>Settings</h2>
${table(['', ''], settings)}`;
  return htmlPage({ title, style: STYLE, body });
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = (row: readonly string[], tag: string): string =>
    `<tr>${row.map((cell) => `<${tag}>${escapeHtml(cell)}</${tag}>`).join('')}</tr>`;
  return `<table>${cells(head, 'th')}${rows.map((row) => cells(row, 'td')).join('\n')}</table>`;
}
