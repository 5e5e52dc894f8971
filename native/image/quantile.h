// Order statistics.
#pragma once

#include <algorithm>
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

}  // namespace brain3d::image
