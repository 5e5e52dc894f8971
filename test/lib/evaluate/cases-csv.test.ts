/** `cases.csv` in a spreadsheet: a text is a text. */
import { casesCsv } from '../../../dist/evaluate/cases-csv';

const TRAITS = { lesionMl: -1.5, lesionCount: null, focality: null, focalityBasis: null };

function csvOf(report: string): string {
  const entry = { id: 'a', subject: 'a', class: 'glioma', source: '=source', laterality: 'left', report };
  const made = { text: report, finishReason: 'eos', newTokens: 1, error: null };
  const row = { name: '@model', kind: 'model', runs: [{ seed: 0, texts: [made] }] };
  return casesCsv(
    [entry as never],
    [TRAITS as never],
    [{ row: row as never, columns: [new Proxy({}, column) as never] }],
  );
}

/** Every metric is unavailable. */
const column: ProxyHandler<object> = { get: () => new Proxy({ unavailable: 'not here' }, column) };

test.each(['=HYPERLINK("http://x")', '+1', '-1+2', '@SUM(A1)', '\tx', '\rx'])('%j is not computed', (report) => {
  const line = csvOf(report).split('\n').slice(1).join('\n');
  const written = `'${report.replaceAll('"', '""')}`;
  expect(line).toContain(/[",\r]/.test(report) ? `"${written}"` : written);
  expect(line).toMatch(/^'@model,0,a,glioma,'=source,left,-1.5,/);
});

test('a plain text and a negative number stay as they are', () => {
  expect(csvOf('A lesion - left.')).toMatch(/,A lesion - left\.,A lesion - left\.\n$/);
});
