// RMSNorm, alone and with the residual sum before it.
#pragma once

#include <optional>

#include "device/torch.h"

namespace brain3d::ops {

/// RMSNorm over the last axis: x * rsqrt(mean(x^2) + eps) * scale, computed in float32 and rounded once.
/// x (..., M) any float dtype; scale (M) float32 (where a family stores weight - 1, already with the 1). Returns x's
/// dtype.
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& scale, double eps);

struct NormedSum {
  at::Tensor sum, normed;
};

/// A layer's part, normed and added to the residual stream, and the norm that the next part reads:
/// sum = residual + rms_norm(x, scale), normed = rms_norm(sum, next_scale). Without a scale x is added as it is;
/// without a next_scale `normed` is undefined. All (..., M); scales (M) float32.
NormedSum add_rms_norm(const at::Tensor& residual, const at::Tensor& x, const std::optional<at::Tensor>& scale,
                       const std::optional<at::Tensor>& next_scale, double eps);

}  // namespace brain3d::ops
