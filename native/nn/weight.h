// A matrix of weights and its storage. Nothing else knows how the numbers are held.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>

#include "device/torch.h"

namespace brain3d::nn {

/// W (out, in), applied as x W^t. It is a value: copies share the storage, which nobody changes but an optimiser that
/// trains it. The storage is dense. Another one (quantised, with scales) would stand behind the same functions.
class Weight {
 public:
  Weight() = default;
  /// `values` (out, in) of a float dtype are kept as they are. It is not explicit, since a dense matrix is a weight.
  Weight(at::Tensor values) : values_(std::move(values)) {}

  bool defined() const { return values_.defined(); }

  /// x W^t + bias: x (.., in) -> (.., out). `bias` (out) may be undefined.
  at::Tensor linear(const at::Tensor& x, const at::Tensor& bias = {}) const;
  /// W[ids], the lookup of an embedding: ids (..) int64 -> (.., in).
  at::Tensor rows(const at::Tensor& ids) const;
  /// dL/dx = g W into `out` (R, in), for a gradient g (R, out) of `linear`'s result. g is rounded to the dtype of
  /// `out`.
  void backward_into(const at::Tensor& gradient, const at::Tensor& out) const;

  std::int64_t out_features() const { return values_.size(0); }
  std::int64_t in_features() const { return values_.size(1); }
  std::int64_t numel() const { return values_.numel(); }
  /// The size of the storage.
  std::int64_t bytes() const { return static_cast<std::int64_t>(values_.nbytes()); }
  /// The dtype and device of the results of `linear` and `rows`.
  at::TensorOptions options() const { return values_.options(); }
  bool shares_storage_with(const Weight& other) const { return values_.is_same(other.values_); }

  /// The weight in another dtype of the computation. The history of values that train is kept.
  Weight to(at::ScalarType dtype) const { return values_.to(dtype); }
  /// The values of a weight that trains or is written to a file. Both are held densely.
  const at::Tensor& dense() const { return values_; }

 private:
  at::Tensor values_;
};

}  // namespace brain3d::nn
