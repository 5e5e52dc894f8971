// The paper's settings, which the core leaves to TypeScript: tests that need some begin with these.
#pragma once

#include "generate/sampling.h"
#include "models/brain3d/recipe.h"
#include "train/adamw.h"
#include "volume/preprocess.h"

namespace brain3d::test {

inline generate::SamplingOptions paper_sampling() {
  generate::SamplingOptions options;
  options.temperature = 0.1;
  options.top_p = 0.9;
  options.repetition_penalty = 1.2;
  options.no_repeat_ngram_size = 3;
  options.max_new_tokens = 256;
  options.eos_token_ids = {1};
  return options;
}

inline models::Recipe paper_recipe() {
  models::Recipe recipe;
  recipe.num_visual_tokens = 32;
  recipe.compression_grid = {8, 2, 2};
  recipe.depth_kernel = 2;
  recipe.depth_padding = 1;
  recipe.volume_size = {64, 128, 128};
  return recipe;
}

inline volume::PreprocessOptions paper_preprocessing() {
  volume::PreprocessOptions options;
  options.size = {64, 128, 128};
  options.lower_percentile = 1;
  options.upper_percentile = 99;
  return options;
}

inline train::AdamWOptions usual_adamw() { return {0.9, 0.999, 1e-8, 0.01}; }

}  // namespace brain3d::test
