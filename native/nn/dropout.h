// Dropout that can be repeated, and belongs to a sample.
#pragma once

#include <cstdint>
#include <vector>

#include "device/torch.h"

namespace brain3d::nn {

/// Each element's fate is a function of its sample's seed, a site (a number for each place that drops), its position in
/// the sample and its channel, and of nothing else: no generator is drawn from. So a sample has the same mask whatever
/// it is computed and padded with, on every device, when a layer is computed again in the backward pass, and when a run
/// is resumed.
class Dropout {
 public:
  /// One seed for each sample. 0 <= probability < 1.
  Dropout(double probability, std::vector<std::uint64_t> seeds, at::Device device);
  /// Makes the masks of one sample.
  Dropout(double probability, std::uint64_t seed, at::Device device)
      : Dropout(probability, std::vector<std::uint64_t>{seed}, device) {}

  /// x (B, S, C), one sample for each seed, or (S, C) of one: each element zeroed with the probability, the others
  /// divided by 1 - probability. Throws Shape for other sizes.
  at::Tensor apply(const at::Tensor& x, std::uint64_t site) const;

 private:
  /// Random words of the positions (B, S, 1) and channels (C), int32; those of the last sizes are kept.
  void draw_words(std::int64_t positions, std::int64_t channels) const;

  double probability_;
  std::vector<std::uint64_t> seeds_;
  at::Device device_;
  mutable at::Tensor first_words_, second_words_;  // (B, S, 1)
  mutable at::Tensor channel_words_;               // (C)
};

}  // namespace brain3d::nn
