#include "weights/layer_weights.h"

namespace brain3d::weights {

void expect_layer_norm(ExpectedTensors& expected, const std::string& module, std::int64_t width) {
  expected[module + ".weight"] = {width};
  expected[module + ".bias"] = {width};
}

void expect_linear(ExpectedTensors& expected, const std::string& module, std::int64_t out, std::int64_t in) {
  expected[module + ".weight"] = {out, in};
  expected[module + ".bias"] = {out};
}

nn::LayerNorm load_layer_norm(WeightSource& source, const std::string& module, at::TensorOptions options) {
  return {source.read(module + ".weight", options), source.read(module + ".bias", options)};
}

nn::Linear LinearLoader::load(const std::vector<std::string>& modules) {
  std::int64_t out = 0;
  for (const std::string& module : modules) out += source_.shape(module + ".weight")[0];
  nn::Linear fused{at::empty({out, source_.shape(modules[0] + ".weight")[1]}, options_), {}, {}};
  if (source_.has(modules[0] + ".bias")) fused.bias = at::empty({out}, options_);
  std::int64_t begin = 0;
  for (const std::string& module : modules) {
    const std::int64_t count = source_.shape(module + ".weight")[0];
    load_weight(module, fused.weight.narrow(0, begin, count), begin, fused);
    if (fused.bias.defined()) source_.read_into(module + ".bias", fused.bias.narrow(0, begin, count));
    begin += count;
  }
  return fused;
}

void LinearLoader::load_weight(const std::string& module, const at::Tensor& rows, std::int64_t begin,
                               nn::Linear& fused) {
  const std::string name = module + ".weight";
  const LoraWeights* lora = adapter_ == nullptr ? nullptr : adapter_->find(module);
  if (lora == nullptr) {
    source_.read_into(name, rows);
  } else if (merge_) {
    // W' = W + scaling * B A in float32, rounded once: merging in bfloat16 would lose most of a small delta.
    at::Tensor merged = source_.read(name, at::TensorOptions().dtype(at::kFloat));
    rows.copy_(merged.add_(lora->delta()));
    require_finite(rows, name, "the base with its adapter");
  } else {
    source_.read_into(name, rows);
    const auto float32 = options_.dtype(at::kFloat);
    fused.lora.push_back(
        {lora->lora_A.to(float32), lora->lora_B.to(float32), lora->scaling, begin, module, next_site_++});
  }
}

}  // namespace brain3d::weights
