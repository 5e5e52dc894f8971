// Gemma 3 with images, as MedGemma is published: SigLIP features of 2D images in place of soft tokens. Brain3D itself
// never takes this path (its visual tokens come from the 3D encoder); the paper's 2D baseline does.   [GEMMA3]
#pragma once

#include <string>

#include "models/language/decoder.h"
#include "models/vision/siglip.h"

namespace brain3d::models {

class Gemma3Multimodal {
 public:
  /// Reads a Gemma3ForConditionalGeneration directory: decoder, vision tower and image projector.
  static Gemma3Multimodal load(const std::string& dir, at::TensorOptions options);

  /// pixels (B, 3, S, S) in [-1, 1] -> (B, mm_tokens_per_image, M): tower, average pooling to a square of tokens,
  /// RMSNorm, projection. Like every embedding given directly, the features do not carry the sqrt(M) of looked-up
  /// tokens.
  at::Tensor image_features(const at::Tensor& pixels) const;

  /// Logits (1, S, V) float32 of one sequence. ids (S) int64 holds one soft token for each image feature, in order;
  /// tokens of one image see each other in both directions.
  at::Tensor logits(const at::Tensor& ids, const at::Tensor& pixels) const;

  const Decoder& language() const { return language_; }

 private:
  Decoder language_;
  SiglipEncoder tower_;
  SiglipEmbeddings embeddings_;
  at::Tensor soft_emb_norm_;     // (E) 1 + stored weight, float32
  at::Tensor input_projection_;  // (E, M), applied as x @ W
  double norm_eps_ = 1e-6;
  std::int64_t tokens_per_side_ = 16;
  std::int64_t image_token_id_ = 262144;
};

}  // namespace brain3d::models
