#include "weights/layer_weights.h"

namespace brain3d::weights {

nn::LayerNorm load_norm(WeightSource& source, const std::string& module, at::TensorOptions options) {
  return {source.read(module + ".weight", options), source.read(module + ".bias", options)};
}

nn::Linear load_linear(WeightSource& source, const std::string& module, at::TensorOptions options) {
  return {source.read(module + ".weight", options), source.read(module + ".bias", options), {}};
}

nn::Linear load_fused(WeightSource& source, const std::vector<std::string>& modules, std::int64_t width,
                      at::TensorOptions options) {
  const auto total = static_cast<std::int64_t>(modules.size()) * width;
  nn::Linear fused{at::empty({total, width}, options), at::empty({total}, options), {}};
  std::int64_t begin = 0;
  for (const std::string& module : modules) {
    source.read_into(module + ".weight", fused.weight.narrow(0, begin, width));
    source.read_into(module + ".bias", fused.bias.narrow(0, begin, width));
    begin += width;
  }
  return fused;
}

}  // namespace brain3d::weights
