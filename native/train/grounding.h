// Phase 1: contrastive grounding of volumes in their reports.   (paper eq. 5)
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "train/objective.h"

namespace brain3d::train {

struct GroundingBatch {
  std::vector<std::string> volumes;    // files of the preprocessing cache
  at::Tensor texts;                    // (B, M) float32, rows of `embed_texts`
  std::vector<std::int64_t> text_ids;  // equal for equal reports
};

/// `Inference`: v = normalise(mean_K MLP(pool(Z_enc))), the path a report takes. `Peer`: v = normalise(MLP(mean_N
/// Z_enc)), the authors'. The two differ because the MLP is not linear.
enum class VisualEmbedding { Inference, Peer };

struct GroundingOptions {
  std::int64_t micro_batch = 1;
  double temperature = 1;
  VisualEmbedding visual_embedding = VisualEmbedding::Inference;
  bool recompute = false;
};

/// The contrastive loss over all B rows. Rows are embedded a micro-batch at a time: those before the last of this
/// process twice, for the loss and then with gradients (GradCache), while the last part's activations serve both. The
/// gate s is left out: normalisation cancels a positive factor, so its gradient is identically 0, and AdamW would only
/// decay it. Errors of reading name the volume in the field `volumes[i]`.
class GroundingObjective final : public Objective {
 public:
  GroundingObjective(GroundingBatch batch, const GroundingOptions& options)
      : batch_(std::move(batch)), options_(options) {}
  Losses compute(const TrainableModel& model, Pass pass, const StepContext& step) const override;

 private:
  GroundingBatch batch_;
  GroundingOptions options_;
};

/// t (T, M) float32: the mean of the language model's last hidden states over a text's tokens, L2-normalised. A text is
/// `<bos>` and its tokens, without EOS. Frozen, so computed once.
at::Tensor embed_texts(const TrainableModel& model, const std::vector<std::vector<std::int64_t>>& texts,
                       const CancelFlag& cancel);

}  // namespace brain3d::train
