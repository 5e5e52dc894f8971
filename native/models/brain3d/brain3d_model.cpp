#include "models/brain3d/brain3d_model.h"

#include "base/error.h"
#include "models/brain3d/checkpoint_weights.h"
#include "nn/head.h"

namespace brain3d::models {

namespace {

/// Rows of logits held at once: 256 rows of 262,208 float32 are 268 MB.
constexpr std::int64_t kLogitRows = 256;

}  // namespace

void check_ids(const std::vector<std::int64_t>& ids, std::int64_t vocab_size, const char* what) {
  B3D_CHECK(!ids.empty(), Usage, "expected at least one ", what, " token, got none");
  for (const std::int64_t id : ids)
    B3D_CHECK(id >= 0 && id < vocab_size, Usage, what, " token ", id, " is outside the model's vocabulary of ",
              vocab_size, "; tokenizer and model do not belong together");
}

void check_computed(const at::Tensor& values, const char* what) {
  B3D_CHECK(values.isfinite().all().item<bool>(), Internal, "the model computed ", what,
            " that are not finite; the weights are damaged or the dtype overflows (try float32)");
}

at::Tensor ids_tensor(const std::vector<std::int64_t>& ids, at::Device device) {
  return at::tensor(ids, at::TensorOptions().dtype(at::kLong)).to(device);
}

Brain3DModel Brain3DModel::load(const ModelFiles& files, at::Device device, at::ScalarType dtype,
                                const CancelHandle& cancel, const StageProgress& progress) {
  const auto options = at::TensorOptions().device(device).dtype(dtype);
  Backbones backbones = Backbones::open(files.vision_dir, files.language_dir);
  CheckpointWeights weights =
      CheckpointWeights::read(files.weights_file, backbones.checkpoint_sizes(files.recipe), options);
  weights::LoraAdapter adapter;
  if (!files.adapter_dir.empty()) adapter = weights::LoraAdapter::read(files.adapter_dir);
  backbones.watch(cancel, progress);

  SiglipEncoder encoder = SiglipEncoder::load(backbones.vision_config, backbones.vision, options);
  const SiglipEmbeddings embeddings = SiglipEmbeddings::load(backbones.vision, options.dtype(at::kFloat));
  VisionEncoder3d vision(std::move(encoder), files.recipe, weights.patch_weight, weights.patch_bias,
                         weights.depth_positions, embeddings.position_table);
  Decoder language = Decoder::load(backbones.language_spec, backbones.language, options,
                                   files.adapter_dir.empty() ? nullptr : &adapter, files.merge_adapter);
  Brain3DModel model(std::move(vision), std::move(weights.projector), std::move(language), files.recipe);
  model.num_adapter_parameters_ = adapter.num_parameters();
  model.warnings_ = adapter.warnings();
  return model;
}

Encoding Brain3DModel::encode(const at::Tensor& volumes, const CancelFlag* cancel) const {
  Encoding encoding;
  encoding.patch_tokens = vision_.forward(volumes, cancel);
  encoding.pooled_tokens = vision_.pool(encoding.patch_tokens);
  encoding.visual_tokens = projector_.forward(encoding.pooled_tokens);
  return encoding;
}

std::int64_t Brain3DModel::weight_bytes() const {
  return vision_.weight_bytes() + language_.weight_bytes() + projector_.weight_bytes();
}

at::Tensor Brain3DModel::soft_prompt(const at::Tensor& visual_tokens, const std::vector<std::int64_t>& ids) const {
  check_ids(ids, language_.spec().vocab_size, "prompt");
  const at::Tensor text = language_.embed(ids_tensor(ids, device()));  // (T, M)
  return at::cat({visual_tokens, text.unsqueeze(0).expand({visual_tokens.size(0), -1, -1})}, 1);
}

at::Tensor Brain3DModel::token_nlls(const at::Tensor& visual_tokens, const std::vector<std::int64_t>& prompt_ids,
                                    const std::vector<std::int64_t>& report_ids, const CancelFlag* cancel) const {
  check_ids(report_ids, language_.spec().vocab_size, "report");
  std::vector<std::int64_t> ids = prompt_ids;
  ids.insert(ids.end(), report_ids.begin(), report_ids.end());
  const at::Tensor inputs = soft_prompt(visual_tokens, ids);
  const auto length = inputs.size(1), num_labels = static_cast<std::int64_t>(report_ids.size());
  const at::Tensor hidden = language_.forward_sequence(inputs, cancel);
  // The position before a token predicts it: rows L - T - 1 .. L - 2 for the last T tokens.
  const at::Tensor rows = hidden[0].narrow(0, length - num_labels - 1, num_labels);
  const at::Tensor labels = ids_tensor(report_ids, device());
  at::Tensor nlls = nn::linear_cross_entropy(rows, language_.lm_head(), labels, {}, kLogitRows, false).nlls;
  check_computed(nlls, "negative log-likelihoods");
  return nlls;
}

}  // namespace brain3d::models
