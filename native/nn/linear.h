// A linear layer with optional LoRA branches beside it.
#pragma once

#include <string>
#include <vector>

#include "nn/dropout.h"
#include "nn/weight.h"

namespace brain3d::nn {

/// One low-rank branch: adds scaling * B (A x) to output features [out_begin, out_begin + B.size(0)).   [LORA eq. 3]
/// A fused layer (qkv, gate-up) carries one branch for each of its adapted parts, in the order of their features.
struct LoraBranch {
  at::Tensor lora_A;  // (R, in) float32
  at::Tensor lora_B;  // (out part, R) float32
  double scaling = 1.0;
  std::int64_t out_begin = 0;
  std::string module = {};  // the module that it adapts: "text.layers.0.self_attn.q_proj"
  std::uint64_t site = 0;   // the place of its dropout masks
};

struct Linear {
  Weight weight;    // (out, in)
  at::Tensor bias;  // (out) or undefined
  std::vector<LoraBranch> lora;

  /// x (..., in) -> (..., out). As PEFT: the branch runs in float32, `dropout` (none: off) acts on the branch's input
  /// alone, and the sum is rounded to the base's dtype.
  at::Tensor forward(const at::Tensor& x, const Dropout* dropout = nullptr) const;

  /// Counts weight and bias. Branches belong to an adapter.
  std::int64_t num_parameters() const { return weight.numel() + (bias.defined() ? bias.numel() : 0); }
  std::int64_t bytes() const {
    return weight.bytes() + (bias.defined() ? static_cast<std::int64_t>(bias.nbytes()) : 0);
  }

  /// The layer in another dtype of the computation, without branches. The history of what trains is kept.
  Linear to(at::ScalarType dtype) const { return {weight.to(dtype), bias.defined() ? bias.to(dtype) : bias, {}}; }
};

}  // namespace brain3d::nn
