/** Cleans reports once before they are stored. Training and reference texts are cleaned in the same way. */
import { basename } from 'node:path';
import { Brain3DError } from '../base/errors';
import { readText } from '../files/text';
import { MIN_REPORT_CHARACTERS } from './manifest';
import { refusePointer } from './pointer';

/** Collapses white space to single spaces and puts a full stop at the end. */
export function cleanReport(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return line === '' || line.endsWith('.') ? line : `${line}.`;
}

/**
 * Reads a report and cleans it.
 * @throws {Brain3DError} BRAIN3D_NOT_FOUND if the file is a pointer to one, BRAIN3D_IO, BRAIN3D_FORMAT if it is no
 *   UTF-8 or too short
 */
export async function readReport(path: string, signal?: AbortSignal): Promise<string> {
  const file = basename(path);
  // A pointer's text is long enough to pass as a report.
  await refusePointer(path, 'a report');
  const text = await readText(path, { what: 'a report', signal });
  const report = cleanReport(text);
  if (report.length >= MIN_REPORT_CHARACTERS) return report;
  const expected = `expected a report of at least ${MIN_REPORT_CHARACTERS} characters in ${file}`;
  const got = report === '' ? 'got an empty one' : `got ${report.length}`;
  throw new Brain3DError('BRAIN3D_FORMAT', `${expected}, ${got}`, { file });
}
