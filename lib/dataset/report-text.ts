/** Reports as they are stored: cleaned once, the same for training and for reference texts. */
import { basename } from 'node:path';
import { Brain3DError } from '../base/errors';
import { readText } from '../files/text';
import { MIN_REPORT_CHARACTERS } from './manifest';
import { refusePointer } from './pointer';

/** White space collapsed to single spaces, a full stop at the end. */
export function cleanReport(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return line === '' || line.endsWith('.') ? line : `${line}.`;
}

/**
 * A cleaned report.
 * @throws {Brain3DError} BRAIN3D_NOT_FOUND if the file is a pointer to one, BRAIN3D_IO, BRAIN3D_FORMAT if it is no UTF-8 or too short
 */
export async function readReport(path: string, signal?: AbortSignal): Promise<string> {
  const file = basename(path);
  // The text of a pointer is long enough for a report.
  await refusePointer(path, 'a report');
  const text = await readText(path, { what: 'a report', signal });
  const report = cleanReport(text);
  if (report.length >= MIN_REPORT_CHARACTERS) return report;
  const expected = `expected a report of at least ${MIN_REPORT_CHARACTERS} characters in ${file}`;
  const got = report === '' ? 'got an empty one' : `got ${report.length}`;
  throw new Brain3DError('BRAIN3D_FORMAT', `${expected}, ${got}`, { file });
}
