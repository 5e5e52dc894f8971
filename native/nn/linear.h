// A linear layer with optional LoRA branches beside it.
#pragma once

#include <vector>

#include "core/torch.h"

namespace brain3d::nn {

/// One low-rank branch: adds scaling * B (A x) to output features [out_begin, out_begin + B.size(0)).   [LORA eq. 3]
/// A fused layer (qkv, gate-up) carries one branch for each of its adapted parts.
struct LoraBranch {
  at::Tensor lora_A;  // (R, in) float32
  at::Tensor lora_B;  // (out part, R) float32
  double scaling = 1.0;
  std::int64_t out_begin = 0;
};

struct Linear {
  at::Tensor weight;  // (out, in)
  at::Tensor bias;    // (out) or undefined
  std::vector<LoraBranch> lora;

  /// x (..., in) -> (..., out). As PEFT: the branch runs in float32 and the sum is rounded to the base's dtype.
  at::Tensor forward(const at::Tensor& x) const;
};

}  // namespace brain3d::nn
