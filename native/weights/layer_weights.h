// Reads layers of model files, in which a module's name is followed by ".weight" and ".bias".
#pragma once

#include <string>
#include <vector>

#include "nn/layer_norm.h"
#include "nn/linear.h"
#include "weights/lora_adapter.h"
#include "weights/weight_source.h"

namespace brain3d::weights {

void expect_layer_norm(ExpectedTensors& expected, const std::string& module, std::int64_t width);
/// The layer has a bias.
void expect_linear(ExpectedTensors& expected, const std::string& module, std::int64_t out, std::int64_t in);

nn::LayerNorm load_layer_norm(WeightSource& source, const std::string& module, at::TensorOptions options);

/// Reads linear layers, and an adapter with them. Layers that run as one are fused on the way in.
class LinearLoader {
 public:
  /// With `merge`, the adapter is added to the weights in float32 and rounded once; without, it stays a branch beside
  /// them. `adapter` may be null. Both `source` and `adapter` must outlive this.
  LinearLoader(WeightSource& source, at::TensorOptions options, const LoraAdapter* adapter = nullptr, bool merge = true)
      : source_(source), options_(options), adapter_(adapter), merge_(merge) {}

  /// `modules` of one input width, one below the other, as one layer; with a bias if `source` has one of the first.
  nn::Linear load(const std::vector<std::string>& modules);
  nn::Linear load(const std::string& module) { return load(std::vector<std::string>{module}); }

 private:
  void load_rows(const std::string& module, const at::Tensor& rows);
  nn::LoraBranch make_branch(const std::string& module, std::int64_t out_begin);

  WeightSource& source_;
  at::TensorOptions options_;
  const LoraAdapter* adapter_;
  bool merge_;
  std::uint64_t next_site_ = 0;
};

}  // namespace brain3d::weights
