// Phase 1: contrastive grounding of volumes in their reports.   (paper eq. 5)
#pragma once

#include <string>
#include <vector>

#include "train/objective.h"
#include "train/trainable_model.h"

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
  std::int64_t micro_batch = 8;
  double temperature = 0.07;
  VisualEmbedding visual_embedding = VisualEmbedding::Inference;
  bool recompute = false;
};

/// The contrastive loss over all B rows. A batch of more than `micro_batch` rows is embedded twice: once for the loss,
/// then part by part with gradients (GradCache); only the last part's activations serve both.
/// The gate s is left out: normalisation cancels a positive factor, so its gradient is identically 0, and AdamW would
/// only decay it. Errors of reading name the volume in the field `volumes[i]`.
Objective grounding_objective(const TrainableModel& model, const GroundingBatch& batch, const GroundingOptions& options,
                              Pass pass, const CancelFlag& cancel);

/// t (T, M) float32: the mean of the language model's last hidden states over a text's tokens, L2-normalised. A text is
/// `<bos>` and its tokens, without EOS. Frozen, so computed once.
at::Tensor embed_texts(const TrainableModel& model, const std::vector<std::vector<std::int64_t>>& texts,
                       const CancelFlag& cancel);

}  // namespace brain3d::train
