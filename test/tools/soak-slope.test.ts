/** The soak's judgement, on numbers whose line is known. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { ROOT } from '../support/child';

function lineOf(points: [number, number][]): { slope: number; lower: number; upper: number } {
  const script = `import { fitLine } from ${JSON.stringify(join(ROOT, 'test/soak/slope.mjs'))};
    console.log(JSON.stringify(fitLine(JSON.parse(process.argv[1]))));`;
  return JSON.parse(
    execFileSync(process.execPath, ['--input-type=module', '-e', script, JSON.stringify(points)], { encoding: 'utf8' }),
  );
}

test('finds a line without noise exactly', () => {
  const { slope, lower, upper } = lineOf([0, 1, 2, 5, 9].map((x) => [x, 3 * x - 7]));
  for (const value of [slope, lower, upper]) expect(value).toBeCloseTo(3, 9);
});

test('gives the textbook interval', () => {
  // Sxx = 10, residuals 0.2, -0.3, 0.2, -0.3, 0.2 around 0.8 + 1.1 x: s = sqrt(0.3 / 3), t(3) = 3.182.
  const { slope, lower, upper } = lineOf([
    [0, 1],
    [1, 1.6],
    [2, 3.2],
    [3, 3.8],
    [4, 5.4],
  ]);
  expect(slope).toBeCloseTo(1.1, 9);
  const margin = 3.182 * Math.sqrt(0.3 / 3 / 10);
  expect(upper - slope).toBeCloseTo(margin, 3);
  expect(slope - lower).toBeCloseTo(margin, 3);
});
