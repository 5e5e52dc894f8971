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
  const at::Tensor weight = at::empty({out, source_.shape(modules[0] + ".weight")[1]}, options_);
  nn::Linear fused;
  if (source_.has(modules[0] + ".bias")) fused.bias = at::empty({out}, options_);
  std::int64_t begin = 0;
  for (const std::string& module : modules) {
    const std::int64_t count = source_.shape(module + ".weight")[0];
    load_rows(module, weight.narrow(0, begin, count));
    if (fused.bias.defined()) source_.read_into(module + ".bias", fused.bias.narrow(0, begin, count));
    if (!merge_ && adapter_ != nullptr && adapter_->find(module) != nullptr)
      fused.lora.push_back(make_branch(module, begin));
    begin += count;
  }
  fused.weight = weight;
  return fused;
}

void LinearLoader::load_rows(const std::string& module, const at::Tensor& rows) {
  const std::string name = module + ".weight";
  const LoraWeights* lora = adapter_ == nullptr || !merge_ ? nullptr : adapter_->find(module);
  if (lora == nullptr) {
    source_.read_into(name, rows);
    return;
  }
  // W' = W + scaling * B A in float32, rounded once: merging in bfloat16 would lose most of a small delta.
  at::Tensor merged = source_.read(name, at::TensorOptions().dtype(at::kFloat));
  rows.copy_(merged.add_(lora->delta()));
  require_finite(rows, name, "the base with its adapter");
}

nn::LoraBranch LinearLoader::make_branch(const std::string& module, std::int64_t out_begin) {
  const LoraWeights& lora = *adapter_->find(module);
  const auto float32 = options_.dtype(at::kFloat);
  return {lora.lora_A.to(float32), lora.lora_B.to(float32), lora.scaling, out_begin, module, next_site_++};
}

}  // namespace brain3d::weights
