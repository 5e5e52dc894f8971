// Judges whether something grows, by least squares with a confidence interval.

/** 97.5 % quantiles of Student's t by degrees of freedom; beyond, the normal distribution's is near enough. */
const T = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145, 2.131];
const quantile = (freedom) => T[freedom - 1] ?? (freedom <= 30 ? 2.12 : freedom <= 60 ? 2.04 : 2.0);

/** The line through points [x, y]: { slope, lower, upper } (95 %) and `at(x)`. At least three points. */
export function fitLine(points) {
  const n = points.length;
  const mean = (index) => points.reduce((sum, point) => sum + point[index], 0) / n;
  const [x0, y0] = [mean(0), mean(1)];
  const sxx = points.reduce((sum, [x]) => sum + (x - x0) ** 2, 0);
  const slope = points.reduce((sum, [x, y]) => sum + (x - x0) * (y - y0), 0) / sxx;
  const at = (x) => y0 + slope * (x - x0);
  const residual = points.reduce((sum, [x, y]) => sum + (y - at(x)) ** 2, 0) / (n - 2);
  const margin = quantile(n - 2) * Math.sqrt(residual / sxx);
  return { slope, lower: slope - margin, upper: slope + margin, at };
}
