// Hyperparameters of a SigLIP vision tower, from config.json.   [SIGLIP]
#pragma once

#include <string>

#include "weights/json_fields.h"

namespace brain3d::models {

/// Absent fields take the library's defaults, which the published configs rely on.
struct SiglipConfig {
  std::int64_t hidden_size = 768;         // E
  std::int64_t intermediate_size = 3072;  // F
  std::int64_t num_hidden_layers = 12;
  std::int64_t num_attention_heads = 12;
  std::int64_t num_channels = 3;
  std::int64_t image_size = 224;
  std::int64_t patch_size = 16;
  double layer_norm_eps = 1e-6;

  std::int64_t head_dim() const { return hidden_size / num_attention_heads; }
  /// Patches along one side of the square the position table was made for.
  std::int64_t table_side() const { return image_size / patch_size; }

  static SiglipConfig parse(const weights::JsonFields& vision_config);
  /// Reads DIR/config.json: model_type siglip, siglip_vision_model, or the tower inside gemma3.
  static SiglipConfig read(const std::string& dir);
};

}  // namespace brain3d::models
