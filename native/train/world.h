// The processes that train one model together: all that training asks about them.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "device/torch.h"

namespace brain3d::train {

/// Every process has the whole of a step's samples before it and computes its share of the micro-batches, so that
/// results do not depend on how many processes there are.
class World {
 public:
  virtual ~World() = default;

  /// This process, from 0.
  virtual std::int64_t rank() const = 0;
  virtual std::int64_t size() const = 0;

  /// Replaces each tensor by its sum over all processes, which all get with the same bits.
  virtual void all_reduce(const std::vector<at::Tensor>& tensors) const = 0;
  /// Rows (R_r, ..) of every process, one below the other by rank -> (sum of R_r, ..).
  virtual at::Tensor all_gather(const at::Tensor& rows) const = 0;

  /// The half-open range of `count` things in order that is this process's: ranges follow each other by rank, and
  /// differ in length by one at most.
  std::pair<std::size_t, std::size_t> share(std::size_t count) const {
    const auto begin_of = [&](std::int64_t r) {
      return count * static_cast<std::size_t>(r) / static_cast<std::size_t>(size());
    };
    return {begin_of(rank()), begin_of(rank() + 1)};
  }
};

/// One process that trains alone.
class SingleProcess final : public World {
 public:
  std::int64_t rank() const override { return 0; }
  std::int64_t size() const override { return 1; }
  void all_reduce(const std::vector<at::Tensor>&) const override {}
  at::Tensor all_gather(const at::Tensor& rows) const override { return rows; }
};

}  // namespace brain3d::train
