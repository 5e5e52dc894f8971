// The contrastive objective of Phase 1.   (paper eq. 5)
#pragma once

#include <vector>

#include "device/torch.h"

namespace brain3d::train {

/// Beyond these the logits of unit vectors overflow or all are one, and nothing is learned.
inline constexpr double kMinTemperature = 1e-4, kMaxTemperature = 1e4;

struct ContrastiveLoss {
  at::Tensor loss;        // 0-d float32
  at::Tensor row_losses;  // (B): each row's share, whose mean is the loss
  at::Tensor gradient;    // dL / dV (B, M)
};

/// Symmetric InfoNCE of L2-normalised embeddings V (visual) and T (text), both (B, M) float32:
///   L = 1/2 [CE(V T^t / tau, diagonal) + CE(T V^t / tau, diagonal)].
/// Rows with equal `text_ids` have the same report and are not each other's negatives: they are left out of each
/// other's denominators. (Targets spread over them would not do: their text embeddings are equal, so the gradient would
/// be the one of hard targets, to the bit of rounding.) The gradient is that of all B rows at once, so that a batch
/// larger than memory can be embedded in parts (Gao et al. 2021, GradCache). Throws Usage for fewer than two rows, or
/// for rows that all have one report: no row has anything to be told apart from, and the loss is identically 0. Also
/// for a temperature outside of [kMinTemperature, kMaxTemperature].
ContrastiveLoss contrastive_loss(const at::Tensor& visual, const at::Tensor& text,
                                 const std::vector<std::int64_t>& text_ids, double temperature);

}  // namespace brain3d::train
