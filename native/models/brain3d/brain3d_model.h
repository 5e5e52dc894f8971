// The whole of Brain3D: volume and prompt to logits. Composition only; the parts are beside it.
#pragma once

#include <string>
#include <vector>

#include "models/brain3d/backbones.h"
#include "models/brain3d/projector.h"
#include "models/brain3d/vision_encoder3d.h"

namespace brain3d::models {

/// The places of a model's parts, and the way in which it is held.
struct ModelFiles {
  std::string vision_dir;
  std::string language_dir;
  std::string weights_file;  // brain3d.safetensors
  std::string adapter_dir;   // PEFT directory, or empty
  bool merge_adapter = true;
  Recipe recipe;
};

/// A volume's way through the encoder.
struct Encoding {
  at::Tensor patch_tokens;   // Z_enc  (B, N, E); (B, Hp * Wp, E) where planes are averaged
  at::Tensor pooled_tokens;  // Z_pool (B, K, E)
  at::Tensor visual_tokens;  // Z_vis  (B, K, M)
};

class Brain3DModel {
 public:
  /// Strict: a missing, unexpected or mis-shaped tensor anywhere is an error, and no model exists.
  static Brain3DModel load(const ModelFiles& files, at::Device device, at::ScalarType dtype, const CancelHandle& cancel,
                           const StageProgress& progress);

  /// volumes (B, 1, D, H, W) in [0, 1].
  Encoding encode(const at::Tensor& volumes, const CancelFlag* cancel) const;

  /// [Z_vis ; E(<bos> prompt) ; ...]   (paper eq. 1). Visual tokens enter unscaled; only looked-up tokens carry the
  /// language model's embedding scale. visual (B, K, M), ids (T) int64 the same for every row -> (B, K + T, M).
  at::Tensor soft_prompt(const at::Tensor& visual_tokens, const std::vector<std::int64_t>& ids) const;

  /// -log p of each of `report_ids` (T) given volume and prompt, float32 (T), for one volume's visual tokens
  /// (1, K, M). The head runs on the report's rows only, in chunks.   (paper eq. 6)
  at::Tensor token_nlls(const at::Tensor& visual_tokens, const std::vector<std::int64_t>& prompt_ids,
                        const std::vector<std::int64_t>& report_ids, const CancelFlag* cancel) const;

  const Decoder& language() const { return language_; }
  const VisionEncoder3d& vision() const { return vision_; }
  const Projector& projector() const { return projector_; }
  const Recipe& recipe() const { return recipe_; }
  at::Device device() const { return language_.options().device(); }
  at::ScalarType dtype() const { return c10::typeMetaToScalarType(language_.options().dtype()); }
  /// The bytes of all weights as they are held, without an adapter's branches.
  std::int64_t weight_bytes() const;
  std::int64_t num_adapter_parameters() const { return num_adapter_parameters_; }
  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  Brain3DModel(VisionEncoder3d vision, Projector projector, Decoder language, const Recipe& recipe)
      : vision_(std::move(vision)), projector_(std::move(projector)), language_(std::move(language)), recipe_(recipe) {}

  VisionEncoder3d vision_;
  Projector projector_;
  Decoder language_;
  Recipe recipe_;
  std::int64_t num_adapter_parameters_ = 0;
  std::vector<std::string> warnings_;
};

/// Throws Usage for no ids or ids outside of the vocabulary; `what` names them ("prompt").
void check_ids(const std::vector<std::int64_t>& ids, std::int64_t vocab_size, const char* what);

/// Throws Internal, saying `what`, if a value that the model computed is NaN or infinite.
void check_computed(const at::Tensor& values, const char* what);

/// int64 ids on `device`, (T).
at::Tensor ids_tensor(const std::vector<std::int64_t>& ids, at::Device device);

}  // namespace brain3d::models
