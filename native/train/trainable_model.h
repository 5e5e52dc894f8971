// A Brain3D whose parts can be trained: frozen backbones, float32 leaves for the rest.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "models/brain3d/brain3d_model.h"
#include "train/parameters.h"

namespace brain3d::train {

struct TrainableFiles {
  std::string vision_dir;
  std::string language_dir;
  std::string weights_file;  // brain3d.safetensors to start from
  std::string adapter_dir;   // PEFT directory to start from, or empty
  models::Recipe recipe;
};

class TrainableModel {
 public:
  /// `trains` become leaves, the rest stays frozen. `fresh_adapter` (null: none) is drawn where there is no
  /// `adapter_dir`. Strict, as Brain3DModel::load. Throws Usage if `trains` names a group the model does not have.
  static TrainableModel load(const TrainableFiles& files, const ParameterGroups& trains,
                             const weights::LoraSpec* fresh_adapter, at::Device device, at::ScalarType dtype,
                             const CancelHandle& cancel, const models::StageProgress& progress);

  /// The path from volumes to pooled tokens in the dtype of the computation, with the leaves' history.   (paper eq. 2,
  /// 3)
  models::VisualPath visual_path() const;
  /// The same for the path from pooled to visual tokens.   (paper eq. 4)
  models::Projector projector() const;

  const models::SiglipEncoder& encoder() const { return encoder_; }
  const models::Decoder& language() const { return language_; }
  const models::Recipe& recipe() const { return recipe_; }
  std::int64_t num_patch_tokens() const { return models::num_patches(token_grid_); }
  std::int64_t num_visual_tokens() const { return recipe_.num_visual_tokens; }
  at::Device device() const { return language_.options().device(); }
  at::ScalarType dtype() const { return c10::typeMetaToScalarType(language_.options().dtype()); }

  /// The tensors that train, in the order of the checkpoint and then of the adapter.
  const std::vector<Parameter>& parameters() const { return parameters_; }
  double vis_scale() const { return weights_.projector.vis_scale.item<double>(); }
  const std::vector<std::string>& warnings() const { return warnings_; }

  /// brain3d.safetensors with the present values of everything in it.
  void write_weights(const std::string& file) const;
  /// adapter_model.safetensors in PEFT's format. Throws Usage if the model has no adapter.
  void write_adapter(const std::string& file) const;

  TrainableModel(const TrainableModel&) = delete;  // branches point into `language_`
  TrainableModel(TrainableModel&&) = default;

 private:
  TrainableModel(models::SiglipEncoder encoder, models::Decoder language, models::CheckpointWeights weights)
      : encoder_(std::move(encoder)), language_(std::move(language)), weights_(std::move(weights)) {}
  void collect_parameters(const ParameterGroups& trains);

  models::Recipe recipe_;
  models::PatchGrid grid_{};
  models::PatchGrid token_grid_{};
  models::SiglipEncoder encoder_;
  models::Decoder language_;
  models::CheckpointWeights weights_;  // float32
  at::Tensor spatial_;                 // (Hp, Wp, E) float32
  std::vector<nn::LoraBranch*> lora_branches_;
  std::vector<Parameter> parameters_;
  std::vector<std::string> warnings_;
};

}  // namespace brain3d::train
