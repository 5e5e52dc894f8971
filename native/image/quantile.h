// Order statistics.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace brain3d::image {

/// The value below which a share `q` (0 to 1) of `values` lies, to the nearest lower rank. Reorders `values`, of which
/// there must be at least one.
template <typename Floats>
float quantile(Floats& values, double q) {
  const auto rank = static_cast<std::ptrdiff_t>(q * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), values.begin() + rank, values.end());
  return values[static_cast<std::size_t>(rank)];
}

/// numpy's "linear" percentile, `q` from 0 to 100: virtual index q / 100 * (n - 1), interpolated in double precision.
/// Reorders `values`, of which there must be at least one.
template <typename Floats>
double percentile(Floats& values, double q) {
  const double index = q / 100.0 * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::size_t>(std::floor(index));
  const double weight = index - static_cast<double>(below);
  const auto nth = values.begin() + static_cast<std::ptrdiff_t>(below);
  std::nth_element(values.begin(), nth, values.end());
  if (weight == 0.0) return *nth;
  const double lower = *nth, upper = *std::min_element(nth + 1, values.end());
  return lower + (upper - lower) * weight;
}

}  // namespace brain3d::image
