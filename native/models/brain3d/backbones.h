// The two backbones a Brain3D stands on, opened but not read yet.
#pragma once

#include <functional>
#include <string>

#include "models/brain3d/checkpoint_weights.h"
#include "models/language/decoder.h"
#include "models/language/family.h"
#include "models/vision/siglip.h"

namespace brain3d::models {

/// Stage ("vision", "language"), bytes done, bytes in all.
using StageProgress = std::function<void(const std::string&, std::int64_t, std::int64_t)>;

struct Backbones {
  SiglipConfig vision_config;
  DecoderSpec language_spec;
  weights::WeightSource vision;
  weights::WeightSource language;

  /// Opens every file and compares it with its configuration: what does not fit is known before a gigabyte is copied.
  static Backbones open(const std::string& vision_dir, const std::string& language_dir);

  /// The sizes of a checkpoint over them.
  CheckpointSizes checkpoint_sizes(const Recipe& recipe) const;

  /// Sets the flag that cancels the reading and the callback that hears of it; either may be empty.
  void watch(const CancelHandle& cancel, const StageProgress& progress);
};

}  // namespace brain3d::models
