// The run that tools/reference/training.py trained: the golden backbones and checkpoint, six volumes of the
// deterministic generator in the form of the preprocessing cache, six reports.
#pragma once

#include <string>
#include <vector>

#include "support/golden.h"
#include "support/paper.h"
#include "train/grounding.h"
#include "train/report_objective.h"
#include "train/trainer.h"
#include "volume/cached_volume.h"

namespace brain3d::test {

inline constexpr std::int64_t kNumSamples = 6;
inline const train::SingleProcess kAlone;

inline models::Recipe training_recipe() {
  models::Recipe recipe = test::paper_recipe();
  recipe.num_visual_tokens = 8;
  recipe.compression_grid = {2, 2, 2};
  recipe.volume_size = {8, 42, 56};
  return recipe;
}

inline train::TrainableModel training_model(const train::ParameterGroups& trains, bool with_adapter,
                                            at::ScalarType dtype = at::kFloat) {
  const std::string checkpoint = golden_path("checkpoints/paper_text");
  const train::TrainableFiles files{golden_path("models/vision"), golden_path("models/gemma_text"),
                                    checkpoint + "/brain3d.safetensors", with_adapter ? checkpoint + "/adapter" : "",
                                    training_recipe()};
  return train::TrainableModel::load(files, trains, nullptr, test_device(), dtype, nullptr, {});
}

/// The six volumes as files of a preprocessing cache.
class CachedVolumes {
 public:
  CachedVolumes() {
    for (std::int64_t row = 0; row < kNumSamples; ++row) {
      volume::Volume volume;
      volume.voxels = at::empty({8, 42, 56}, at::kFloat);
      auto* voxels = volume.voxels.mutable_data_ptr<float>();
      for (std::int64_t n = 0; n < volume.voxels.numel(); ++n)
        voxels[n] = static_cast<float>(spec_u(static_cast<std::uint32_t>(950 + row), static_cast<std::uint32_t>(n)));
      paths.push_back(directory_.path() + "/" + std::to_string(row) + ".safetensors");
      volume::write_cached_volume(volume, paths.back());
    }
  }
  std::vector<std::string> paths;

 private:
  TemporaryDirectory directory_;
};

inline at::Tensor training_tensor(const std::string& file, const std::string& name) {
  return golden_tensor("training/" + file + ".safetensors", name);
}

inline std::vector<std::int64_t> training_ids(const std::string& file, const std::string& name) {
  const at::Tensor ids = training_tensor(file, name);
  return {ids.const_data_ptr<std::int64_t>(), ids.const_data_ptr<std::int64_t>() + ids.numel()};
}

inline train::ReportSample report_sample(std::int64_t index) {
  std::vector<std::int64_t> ids = training_ids("samples", "prompt_ids");
  const std::size_t labels_begin = ids.size();
  for (const std::int64_t id : training_ids("samples", "report_ids." + std::to_string(index))) ids.push_back(id);
  return {training_tensor("samples", "pooled")[index], ids, labels_begin};
}

inline train::GroundingBatch grounding_batch(const std::string& file, const CachedVolumes& volumes) {
  return {volumes.paths, training_tensor(file, "texts"), training_ids(file, "text_ids")};
}

/// One micro-batch of all samples.
inline train::ReportOptions together(std::size_t count) {
  train::ReportOptions options;
  options.logit_rows = 1024;
  options.micro_batches.emplace_back();
  for (std::size_t i = 0; i < count; ++i) options.micro_batches[0].push_back(i);
  return options;
}

/// The name a gradient or final value has in a fixture: LoRA as in PEFT's file.
inline std::string fixture_name(const std::string& name) {
  return name.rfind("text.", 0) == 0 ? "base_model.model.model." + name.substr(5) : name;
}

}  // namespace brain3d::test
