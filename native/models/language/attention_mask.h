// Boolean masks of a causal decoder: true = row may attend to column.
#pragma once

#include <optional>

#include "device/torch.h"

namespace brain3d::models {

/// Row r stands at `positions[r]`, column c at position c: c <= p.
/// positions (S) int64 -> (S, length) bool on the same device.
at::Tensor causal_mask(const at::Tensor& positions, std::int64_t length);

/// mask AND c > p - window. For window 3 and p = 0..3:
///   1 0 0 0
///   1 1 0 0
///   1 1 1 0
///   0 1 1 1
at::Tensor within_window(const at::Tensor& mask, const at::Tensor& positions, std::int64_t window);

/// Lets tokens of one image see each other in both directions: mask OR (same block). `block_ids` (S) int64 numbers the
/// contiguous runs of image tokens, -1 elsewhere; rows and columns are the same positions 0..S-1.
/// A local layer's window applies to the union, as in Gemma 3's own code.
at::Tensor with_bidirectional_blocks(const at::Tensor& mask, const at::Tensor& block_ids);

}  // namespace brain3d::models
