#include "train/grounding.h"

#include <algorithm>

#include "base/error.h"
#include "train/block_chain.h"
#include "train/contrastive.h"
#include "volume/cached_volume.h"

namespace brain3d::train {

namespace {

/// (B, M) -> unit rows, float32.
at::Tensor normalise(const at::Tensor& embeddings) {
  const at::Tensor rows = embeddings.to(at::kFloat);
  return rows / rows.norm(2, 1, /*keepdim=*/true);
}

at::Tensor read_volume(const TrainableModel& model, const GroundingBatch& batch, std::size_t index) {
  try {
    const at::Tensor voxels = volume::read_cached_voxels(batch.volumes[index]);
    const auto& size = model.recipe().volume_size;
    B3D_CHECK(voxels.sizes() == at::IntArrayRef(size.data(), 3), Shape, "expected a cached volume of ", size[0], " x ",
              size[1], " x ", size[2], " as the model's recipe says, got ", voxels.sizes());
    return voxels;
  } catch (const Error& error) {
    throw Error(error.code(), error.what(), {error.detail().file, concat("volumes[", index, "]"), -1});
  }
}

/// Some rows of a batch on their way to embeddings; alive until their gradient is known.
class GroundingPart {
 public:
  GroundingPart(const TrainableModel& model, const GroundingOptions& options, const CancelFlag& cancel)
      : model_(model),
        options_(options),
        chain_(
            model.encoder().num_layers(),
            [this, &cancel](std::size_t index, const at::Tensor& x) {
              cancel.check();
              return model_.encoder().block(index, x);
            },
            options.recompute) {}

  /// Rows [begin, end) of the batch -> (end - begin, M).
  at::Tensor forward(const GroundingBatch& batch, std::size_t begin, std::size_t end) {
    std::vector<at::Tensor> volumes;
    for (std::size_t i = begin; i < end; ++i) volumes.push_back(read_volume(model_, batch, i).unsqueeze(0));
    const at::Tensor stacked = at::stack(volumes).to(model_.device());  // (b, 1, D, H, W)
    const models::VisualPath path = model_.visual_path();
    const at::Tensor tokens = models::encode_patches(path, model_.encoder(), stacked,
                                                     [this](const at::Tensor& x) { return chain_.forward(x); });
    const models::Projector projector = model_.projector();
    embedding_ = normalise(options_.visual_embedding == VisualEmbedding::Peer
                               ? projector.project(tokens.mean(1))
                               : projector.project(models::pool_tokens(path, tokens)).mean(1));
    return embedding_.detach();
  }

  void backward(const at::Tensor& gradient) {
    embedding_.backward(gradient);
    embedding_.reset();
    chain_.backward();
  }

 private:
  const TrainableModel& model_;
  const GroundingOptions& options_;
  BlockChain chain_;
  at::Tensor embedding_;
};

std::vector<float> to_host(const at::Tensor& values) {
  const at::Tensor flat = values.to(at::kCPU, at::kFloat).contiguous();
  return {flat.const_data_ptr<float>(), flat.const_data_ptr<float>() + flat.numel()};
}

}  // namespace

Losses GroundingObjective::compute(const TrainableModel& model, Pass pass, const StepContext& step) const {
  const std::size_t count = batch_.volumes.size();
  B3D_CHECK(batch_.texts.dim() == 2 && batch_.texts.size(0) == static_cast<std::int64_t>(count) &&
                batch_.text_ids.size() == count,
            Usage, "expected a text and a text id for each of ", count, " volumes");
  const auto width = static_cast<std::size_t>(std::max<std::int64_t>(1, options_.micro_batch));
  const auto [first_part, end_part] = step.world.share((count + width - 1) / width);
  const auto embed = [&](std::size_t part, bool with_gradients) {
    const at::AutoGradMode mode(with_gradients);
    auto rows = std::make_unique<GroundingPart>(model, options_, step.cancel);
    at::Tensor embedded = rows->forward(batch_, part * width, std::min((part + 1) * width, count));
    return std::pair(std::move(rows), std::move(embedded));
  };

  std::vector<at::Tensor> rows;
  std::unique_ptr<GroundingPart> last;
  for (std::size_t part = first_part; part < end_part; ++part) {
    const bool is_last = part + 1 == end_part;
    auto [made, embedded] = embed(part, is_last && pass == Pass::Gradients);
    rows.push_back(std::move(embedded));
    if (is_last) last = std::move(made);
  }
  const at::Tensor own =
      rows.empty() ? at::empty({0, batch_.texts.size(1)}, batch_.texts.options()).to(model.device()) : at::cat(rows);
  const ContrastiveLoss contrast = contrastive_loss(step.world.all_gather(own), batch_.texts.to(model.device()),
                                                    batch_.text_ids, options_.temperature);
  Losses out{contrast.loss.item<double>(), to_host(contrast.row_losses), 0, 0};
  if (pass == Pass::Loss || !last) return out;

  const auto gradient = [&](std::size_t part) {
    const auto from = static_cast<std::int64_t>(part * width);
    const auto to = static_cast<std::int64_t>(std::min((part + 1) * width, count));
    return contrast.gradient.narrow(0, from, to - from);
  };
  last->backward(gradient(end_part - 1));
  last.reset();
  for (std::size_t part = first_part; part + 1 < end_part; ++part) embed(part, true).first->backward(gradient(part));
  return out;
}

at::Tensor embed_texts(const TrainableModel& model, const std::vector<std::vector<std::int64_t>>& texts,
                       const CancelFlag& cancel) {
  const at::NoGradGuard no_grad;
  const models::Decoder& language = model.language();
  std::vector<at::Tensor> rows;
  for (const auto& ids : texts) {
    models::check_ids(ids, language.spec().vocab_size, "text");
    const at::Tensor embeds = language.embed(models::ids_tensor(ids, model.device())).unsqueeze(0);
    rows.push_back(language.forward_sequence(embeds, &cancel).mean(1));  // (1, M)
  }
  B3D_CHECK(!rows.empty(), Usage, "expected at least one text, got none");
  return normalise(at::cat(rows));
}

}  // namespace brain3d::train
