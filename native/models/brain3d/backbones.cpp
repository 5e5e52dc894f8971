#include "models/brain3d/backbones.h"

namespace brain3d::models {

namespace {

weights::LoadProgress stage_progress(const StageProgress& progress, const std::string& stage) {
  if (!progress) return {};
  return [progress, stage](std::int64_t done, std::int64_t total) { progress(stage, done, total); };
}

}  // namespace

Backbones Backbones::open(const std::string& vision_dir, const std::string& language_dir) {
  const SiglipConfig vision = SiglipConfig::read(vision_dir);
  const DecoderSpec language = read_decoder_spec(language_dir);
  return {vision, language, open_vision_backbone(vision_dir, vision), Decoder::open_backbone(language_dir, language)};
}

CheckpointSizes Backbones::checkpoint_sizes(const Recipe& recipe) const {
  return models::checkpoint_sizes(vision_config, language_spec.hidden_size, recipe);
}

void Backbones::watch(const CancelHandle& cancel, const StageProgress& progress) {
  vision.set_cancel(cancel);
  vision.set_progress(stage_progress(progress, "vision"));
  language.set_cancel(cancel);
  language.set_progress(stage_progress(progress, "language"));
}

}  // namespace brain3d::models
