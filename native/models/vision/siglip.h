// The transformer blocks of a SigLIP vision tower, over any token sequence: 2D patches or the 3D grid.   [SIGLIP]
#pragma once

#include <vector>

#include "base/cancel.h"
#include "models/vision/siglip_config.h"
#include "nn/layer_norm.h"
#include "nn/linear.h"
#include "weights/weight_source.h"

namespace brain3d::models {

struct SiglipLayer {
  nn::LayerNorm layer_norm1, layer_norm2;
  nn::Linear qkv_proj;  // (3E, E): q_proj, k_proj, v_proj
  nn::Linear out_proj;
  nn::Linear fc1, fc2;
};

class SiglipEncoder {
 public:
  /// Adds the tensors `load` reads, under "vision.".
  static void expect(const SiglipConfig& config, weights::ExpectedTensors& expected);
  static SiglipEncoder load(const SiglipConfig& config, weights::WeightSource& source, at::TensorOptions options);

  /// Pre-LN blocks with full attention, then post_layernorm. x (B, N, E) -> (B, N, E); x is taken over and may
  /// be overwritten.
  at::Tensor forward(at::Tensor x, const CancelFlag* cancel) const;

  /// The blocks alone, x (B, N, E) -> (B, N, E); x is taken over. `cancel` is checked before every one and may be null.
  at::Tensor run_blocks(at::Tensor x, const CancelFlag* cancel) const;

  /// One block, x (B, N, E) -> (B, N, E); x is taken over.
  at::Tensor block(std::size_t index, at::Tensor x) const;
  /// post_layernorm, (B, N, E) -> (B, N, E).
  at::Tensor final_norm(const at::Tensor& x) const;
  std::size_t num_layers() const { return layers_.size(); }

  const SiglipConfig& config() const { return config_; }
  std::int64_t num_parameters() const;
  /// The bytes of all weights as they are held.
  std::int64_t weight_bytes() const;

 private:
  at::Tensor attention(const SiglipLayer& layer, at::Tensor normed) const;

  SiglipConfig config_;
  std::vector<SiglipLayer> layers_;
  nn::LayerNorm post_layernorm_;
};

/// The 2D patch embedding and position table, the source of the inflated ones.
struct SiglipEmbeddings {
  at::Tensor patch_weight;    // (E, C, p, p)
  at::Tensor patch_bias;      // (E)
  at::Tensor position_table;  // (g * g, E), row-major over the g x g grid

  /// Patch convolution plus positions, interpolated where the image is not the size the table was made for.
  /// pixels (B, C, S1, S2) -> (B, P, E).
  at::Tensor forward(const at::Tensor& pixels) const;

  static void expect(const SiglipConfig& config, weights::ExpectedTensors& expected);
  static SiglipEmbeddings load(weights::WeightSource& source, at::TensorOptions options);
};

/// Tensors of a vision backbone that this project has no use for: pooling head, text tower, logit scale; and the text
/// decoder and projector where the tower comes from a Gemma 3 directory.
bool is_unused_vision_tensor(const std::string& canonical_name);

/// Opens a vision backbone directory and declares encoder and embeddings.
weights::WeightSource open_vision_backbone(const std::string& dir, const SiglipConfig& config);

}  // namespace brain3d::models
