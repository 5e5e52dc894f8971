// AdamW over named parameters, and its state as a file.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "train/parameters.h"

namespace brain3d::train {

struct AdamWOptions {
  double beta1 = 0;
  double beta2 = 0;
  double epsilon = 0;
  double weight_decay = 0;  // for the parameters that decay
};

using LearningRates = std::map<ParameterGroup, double>;

/// Decoupled weight decay (Loshchilov and Hutter 2019), as torch.optim.AdamW computes it.
class AdamW {
 public:
  AdamW(std::vector<Parameter> parameters, const AdamWOptions& options);

  /// Updates every parameter from its gradient. Throws Usage if a group that trains has no finite learning rate, or a
  /// parameter no gradient; nothing is changed then.
  void step(const LearningRates& learning_rates);
  std::int64_t num_steps() const { return num_steps_; }

  /// Parameters, moments and the number of steps, atomically, as one safetensors file.
  void save(const std::string& file) const;
  /// Strict: exactly the tensors `save` writes for these parameters. Throws Weights otherwise, and nothing is changed.
  void load(const std::string& file);

 private:
  struct Moments {
    at::Tensor exp_avg, exp_avg_sq;
  };
  std::vector<std::pair<std::string, at::Tensor>> state() const;

  std::vector<Parameter> parameters_;
  std::vector<Moments> moments_;
  AdamWOptions options_;
  std::int64_t num_steps_ = 0;
};

}  // namespace brain3d::train
