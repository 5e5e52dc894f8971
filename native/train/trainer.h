// One optimiser step at a time. Epochs, order, schedule and checkpoints are TypeScript's.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "train/adamw.h"
#include "train/objective.h"

namespace brain3d::train {

struct Update {
  LearningRates learning_rates;
  double max_grad_norm = 0;  // 0 is off
  std::uint64_t seed = 0;    // for the step's dropout masks
};

/// A loss or gradient that is not finite.
struct NonFinite {
  std::string tensor;                // "loss", or the parameter whose gradient it is
  std::vector<std::size_t> samples;  // the samples whose loss it is; all of the step for a gradient
};

struct StepResult {
  Losses losses;
  double grad_norm = 0;  // over all that trains, before clipping
  double vis_scale = 0;
  std::int64_t peak_device_bytes = 0;   // 0 on the CPU
  std::optional<NonFinite> non_finite;  // then nothing was updated
};

class Trainer {
 public:
  Trainer(TrainableModel model, const AdamWOptions& options, double lora_dropout,
          std::shared_ptr<const World> world = std::make_shared<SingleProcess>());

  /// A step that throws, or is cancelled, updates nothing.
  StepResult step(const Objective& objective, const Update& update, const CancelFlag& cancel);
  /// The losses alone, without gradients or dropout.
  Losses loss(const Objective& objective, const CancelFlag& cancel) const;

  /// Z_pool (K, E) float32 on the CPU of a file of the preprocessing cache.
  at::Tensor encode_pooled(const std::string& volume_file, const CancelFlag& cancel) const;

  const TrainableModel& model() const { return model_; }
  AdamW& optimizer() { return optimizer_; }

 private:
  TrainableModel model_;
  AdamW optimizer_;
  double lora_dropout_;
  std::shared_ptr<const World> world_;
};

}  // namespace brain3d::train
