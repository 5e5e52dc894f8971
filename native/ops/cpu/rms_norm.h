// RMSNorm over rows in memory, one pass each way. No torch: plain loops that the compiler vectorises.
#pragma once

#include <cstdint>

namespace brain3d::ops::cpu {

/// y = x * r * scale with r = rsqrt(mean(x^2) + eps); rows [begin, end) of `width`. `inverse_rms` (one a row) takes r.
void rms_norm_rows(const float* x, const float* scale, float* y, float* inverse_rms, std::int64_t begin,
                   std::int64_t end, std::int64_t width, double eps);

/// dx = r * g * scale - x * r^3 * mean(g * scale * x).
void rms_norm_backward_rows(const float* gradient, const float* x, const float* scale, const float* inverse_rms,
                            float* dx, std::int64_t begin, std::int64_t end, std::int64_t width);

}  // namespace brain3d::ops::cpu
