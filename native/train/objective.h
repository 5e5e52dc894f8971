// What an objective gives back, whichever it is.
#pragma once

#include <cstdint>
#include <vector>

#include "base/cancel.h"

namespace brain3d::train {

/// `Gradients`: the leaves' gradients are added to, dropout acts. `Loss`: neither.
enum class Pass { Gradients, Loss };

struct Objective {
  double loss = 0;
  std::vector<float> sample_losses;  // one a sample
  std::int64_t num_labels = 0;       // 0 in grounding
  std::int64_t num_tokens = 0;       // through the language model, padding included; 0 in grounding
};

}  // namespace brain3d::train
