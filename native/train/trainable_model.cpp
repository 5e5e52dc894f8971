#include "train/trainable_model.h"

#include <algorithm>

#include "base/error.h"

namespace brain3d::train {

TrainableModel TrainableModel::load(const TrainableFiles& files, const ParameterGroups& trains,
                                    const weights::LoraSpec* fresh_adapter, at::Device device, at::ScalarType dtype,
                                    const CancelHandle& cancel, const models::StageProgress& progress) {
  // Not inference mode: its tensors cannot take part in autograd.
  const at::NoGradGuard no_grad;
  const auto options = at::TensorOptions().device(device).dtype(dtype);
  const auto float32 = options.dtype(at::kFloat);
  models::Backbones backbones = models::Backbones::open(files.vision_dir, files.language_dir);
  auto weights = models::CheckpointWeights::read(files.weights_file, backbones.checkpoint_sizes(files.recipe), float32);
  weights::LoraAdapter adapter;
  if (!files.adapter_dir.empty())
    adapter = weights::LoraAdapter::read(files.adapter_dir);
  else if (fresh_adapter != nullptr)
    adapter =
        weights::LoraAdapter::initialise(*fresh_adapter, models::Decoder::linear_modules(backbones.language_spec));
  backbones.watch(cancel, progress);

  auto encoder = models::SiglipEncoder::load(backbones.vision_config, backbones.vision, options);
  const auto embeddings = models::SiglipEmbeddings::load(backbones.vision, float32);
  auto decoder = models::Decoder::load(backbones.language_spec, backbones.language, options,
                                       adapter.empty() ? nullptr : &adapter, /*merge=*/false);
  TrainableModel model(std::move(encoder), std::move(decoder), std::move(weights));
  model.recipe_ = files.recipe;
  model.grid_ = files.recipe.patch_grid(backbones.vision_config.patch_size);
  model.token_grid_ = files.recipe.token_grid(backbones.vision_config.patch_size);
  model.spatial_ = models::interpolate_position_table(embeddings.position_table, model.grid_[1], model.grid_[2]);
  model.warnings_ = adapter.warnings();
  model.collect_parameters(trains);
  return model;
}

void TrainableModel::collect_parameters(const ParameterGroups& trains) {
  lora_branches_ = language_.lora_branches();
  const auto add = [this, &trains](const std::string& name, ParameterGroup group, const at::Tensor& value,
                                   bool decays) {
    if (trains.count(group) == 0 || !value.defined()) return;
    value.requires_grad_(true);
    parameters_.push_back({name, group, value, decays});
  };
  for (const auto& [name, tensor] : weights_.named_tensors()) {
    const auto group = name == models::kVisScale          ? ParameterGroup::VisScale
                       : name == models::kDepthPositions  ? ParameterGroup::DepthPositions
                       : name.rfind("projector.", 0) == 0 ? ParameterGroup::Projector
                                                          : ParameterGroup::PatchEmbedding;
    add(name, group, tensor, tensor.dim() >= 2 && group != ParameterGroup::DepthPositions);
  }
  for (nn::LoraBranch* branch : lora_branches_) {
    add(branch->module + ".lora_A.weight", ParameterGroup::Lora, branch->lora_A, true);
    add(branch->module + ".lora_B.weight", ParameterGroup::Lora, branch->lora_B, true);
  }
  for (const ParameterGroup group : trains) {
    const bool found = std::any_of(parameters_.begin(), parameters_.end(),
                                   [group](const Parameter& parameter) { return parameter.group == group; });
    B3D_CHECK(found, Usage, "expected a model with tensors of the group ", group_name(group),
              ", got one without: its recipe has no such tensors, or no adapter was given");
  }
}

models::VisualPath TrainableModel::visual_path() const {
  const at::Tensor positions = models::volume_positions(recipe_, grid_, weights_.depth_positions, spatial_);
  return {recipe_, weights_.patch_weight.to(dtype()), weights_.patch_bias.to(dtype()), positions.to(dtype())};
}

models::Projector TrainableModel::projector() const {
  const models::Projector& stored = weights_.projector;
  return {stored.fc1.to(dtype()), stored.fc2.to(dtype()), stored.vis_scale};
}

void TrainableModel::write_weights(const std::string& file) const {
  const at::NoGradGuard no_grad;
  weights_.write(file);
}

void TrainableModel::write_adapter(const std::string& file) const {
  const at::NoGradGuard no_grad;
  weights::write_adapter_weights(file, lora_branches_, language_.spec().module_prefix);
}

}  // namespace brain3d::train
