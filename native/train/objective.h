// The aim of a training step. An objective is a file that implements this, and its name in napi/objectives.cpp.
#pragma once

#include <cstdint>
#include <vector>

#include "base/cancel.h"
#include "train/trainable_model.h"
#include "train/world.h"

namespace brain3d::train {

/// `Gradients`: the leaves' gradients are added to, dropout acts. `Loss`: neither.
enum class Pass { Gradients, Loss };

/// `seed` is the step's; with its place in the step it gives each sample its masks, whatever the micro-batches.
struct LoraDropout {
  double probability = 0;
  std::uint64_t seed = 0;
};

/// The surroundings of the samples of a step.
struct StepContext {
  LoraDropout dropout;
  const World& world;
  const CancelFlag& cancel;
};

/// Over all samples of the step, in every process of the world.
struct Losses {
  double loss = 0;
  std::vector<float> sample_losses;  // one a sample
  std::int64_t num_labels = 0;       // 0 in grounding
  std::int64_t num_tokens = 0;       // through the language model, padding included; 0 in grounding
};

/// The samples of one step, and how a loss is made of them.
class Objective {
 public:
  virtual ~Objective() = default;

  /// The loss; with `Pass::Gradients` also this process's part of its gradient, added to the leaves'.
  virtual Losses compute(const TrainableModel& model, Pass pass, const StepContext& step) const = 0;
};

}  // namespace brain3d::train
