#include "ops/cpu/rms_norm.h"

#include <array>
#include <cmath>

namespace brain3d::ops::cpu {

namespace {

constexpr std::int64_t kLanes = 16;  // independent sums, so that the compiler may use vectors without reordering ours

/// Sum of term(i) for i in [0, width), always in the same order.
template <typename Term>
float lane_sum(std::int64_t width, Term term) {
  std::array<float, kLanes> sums{};
  std::int64_t i = 0;
  for (; i + kLanes <= width; i += kLanes)
    for (std::int64_t lane = 0; lane < kLanes; ++lane) sums[static_cast<std::size_t>(lane)] += term(i + lane);
  float total = 0;
  for (; i < width; ++i) total += term(i);
  for (const float sum : sums) total += sum;
  return total;
}

}  // namespace

void rms_norm_rows(const float* x, const float* scale, float* y, float* inverse_rms, std::int64_t begin,
                   std::int64_t end, std::int64_t width, double eps) {
  for (std::int64_t row = begin; row < end; ++row) {
    const float* in = x + row * width;
    float* out = y + row * width;
    const float squares = lane_sum(width, [in](std::int64_t i) { return in[i] * in[i]; });
    const float inverse = 1.0F / std::sqrt(squares / static_cast<float>(width) + static_cast<float>(eps));
    inverse_rms[row] = inverse;
    for (std::int64_t i = 0; i < width; ++i) out[i] = in[i] * inverse * scale[i];
  }
}

void rms_norm_backward_rows(const float* gradient, const float* x, const float* scale, const float* inverse_rms,
                            float* dx, std::int64_t begin, std::int64_t end, std::int64_t width) {
  for (std::int64_t row = begin; row < end; ++row) {
    const float* g = gradient + row * width;
    const float* in = x + row * width;
    float* out = dx + row * width;
    const float inverse = inverse_rms[row];
    const float dot = lane_sum(width, [&](std::int64_t i) { return g[i] * scale[i] * in[i]; });
    const float factor = inverse * inverse * inverse * dot / static_cast<float>(width);
    for (std::int64_t i = 0; i < width; ++i) out[i] = inverse * g[i] * scale[i] - in[i] * factor;
  }
}

}  // namespace brain3d::ops::cpu
