#include "models/baselines/gemma3_multimodal.h"

#include <cmath>

#include "base/error.h"
#include "models/language/family.h"
#include "ops/rms_norm.h"
#include "weights/json_fields.h"

namespace brain3d::models {

namespace {

constexpr std::int64_t kMaxTokenId = std::int64_t{1} << 24;

/// 0, 1, ... for the contiguous runs of `is_image` (S), -1 elsewhere.
at::Tensor number_runs(const at::Tensor& is_image) {
  const at::Tensor image = is_image.to(at::kLong);
  const at::Tensor begins = at::cat({image.narrow(0, 0, 1), (image.diff() == 1).to(at::kLong)});
  return at::where(is_image, begins.cumsum(0) - 1, at::full_like(image, -1));
}

}  // namespace

Gemma3Multimodal Gemma3Multimodal::load(const std::string& dir, at::TensorOptions options) {
  const io::Json json = io::read_json(dir + "/config.json");
  const weights::JsonFields root(json, "config.json");
  const DecoderSpec text = read_decoder_spec(dir);
  const SiglipConfig vision = SiglipConfig::read(dir);
  const std::int64_t num_tokens = root.integer("mm_tokens_per_image", 256);
  const auto side = std::llround(std::sqrt(static_cast<double>(num_tokens)));
  if (side * side != num_tokens || vision.table_side() % side != 0)
    root.fail("mm_tokens_per_image", "a square that divides the patch grid");

  weights::ExpectedTensors expected;
  Decoder::expect(text, expected);
  SiglipEncoder::expect(vision, expected);
  SiglipEmbeddings::expect(vision, expected);
  expected["mmproj.mm_soft_emb_norm.weight"] = {vision.hidden_size};
  expected["mmproj.mm_input_projection_weight"] = {vision.hidden_size, text.hidden_size};
  weights::WeightSource source(io::SafetensorsSet::open_directory(dir), "multimodal backbone", std::move(expected),
                               [](const std::string& name) { return name.rfind("lm_head.", 0) == 0; });

  Gemma3Multimodal model;
  model.language_ = Decoder::load(text, source, options, nullptr, true);
  model.tower_ = SiglipEncoder::load(vision, source, options);
  model.embeddings_ = SiglipEmbeddings::load(source, options);
  model.soft_emb_norm_ = source.read("mmproj.mm_soft_emb_norm.weight", options.dtype(at::kFloat)).add_(1.0);
  model.input_projection_ = source.read("mmproj.mm_input_projection_weight", options);
  model.norm_eps_ = vision.layer_norm_eps;  // the library takes the tower's, not the decoder's
  model.tokens_per_side_ = side;
  model.image_token_id_ =
      root.integer("image_token_index", root.integer("image_token_id", 262144, 0, kMaxTokenId), 0, kMaxTokenId);
  return model;
}

at::Tensor Gemma3Multimodal::image_features(const at::Tensor& pixels) const {
  const at::Tensor tokens = tower_.forward(embeddings_.forward(pixels), nullptr);  // (B, P, E)
  const auto grid = tower_.config().table_side(), kernel = grid / tokens_per_side_;
  const at::Tensor image = tokens.transpose(1, 2).reshape({tokens.size(0), tokens.size(2), grid, grid});
  const at::Tensor pooled = at::avg_pool2d(image, kernel, kernel).flatten(2).transpose(1, 2);  // (B, tokens, E)
  return at::matmul(ops::rms_norm(pooled, soft_emb_norm_, norm_eps_), input_projection_);
}

at::Tensor Gemma3Multimodal::logits(const at::Tensor& ids, const at::Tensor& pixels) const {
  const at::Tensor is_image = ids == image_token_id_;
  const at::Tensor features = image_features(pixels).flatten(0, 1);  // (images * tokens, M)
  B3D_CHECK(is_image.sum().item<std::int64_t>() == features.size(0), Shape, "expected ", features.size(0),
            " image soft tokens among the ids, got ", is_image.sum().item<std::int64_t>());
  const at::Tensor text_ids = ids.masked_fill(is_image, 0);  // the soft token may lie beyond the embedding
  const at::Tensor inputs =
      language_.embed(text_ids).masked_scatter(is_image.unsqueeze(1), features).unsqueeze(0);  // (1, S, M)
  DecoderState state = language_.make_state(1, ids.size(0));
  const DecoderStep step = language_.first_step(state, ids.size(0), number_runs(is_image));
  return language_.logits(language_.forward(inputs, step, state, nullptr));
}

}  // namespace brain3d::models
