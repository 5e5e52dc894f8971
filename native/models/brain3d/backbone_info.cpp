#include "models/brain3d/backbone_info.h"

#include "models/language/decoder.h"
#include "models/language/family.h"
#include "models/vision/siglip.h"

namespace brain3d::models {

namespace {

using Sizes = std::vector<std::pair<std::string, double>>;

void add(Sizes& sizes, const char* name, std::int64_t size) { sizes.emplace_back(name, static_cast<double>(size)); }

Sizes inspect_language(const std::string& dir) {
  const DecoderSpec spec = read_decoder_spec(dir);
  Decoder::open_backbone(dir, spec);
  Sizes sizes;
  add(sizes, "vocab_size", spec.vocab_size);
  add(sizes, "hidden_size", spec.hidden_size);
  add(sizes, "intermediate_size", spec.intermediate_size);
  add(sizes, "num_hidden_layers", spec.num_hidden_layers());
  add(sizes, "num_attention_heads", spec.num_attention_heads);
  add(sizes, "num_key_value_heads", spec.num_key_value_heads);
  add(sizes, "head_dim", spec.head_dim);
  for (const LayerKind& kind : spec.kinds)
    if (kind.window > 0) add(sizes, "sliding_window", kind.window);
  return sizes;
}

Sizes inspect_vision(const std::string& dir) {
  const SiglipConfig config = SiglipConfig::read(dir);
  open_vision_backbone(dir, config);
  Sizes sizes;
  add(sizes, "hidden_size", config.hidden_size);
  add(sizes, "intermediate_size", config.intermediate_size);
  add(sizes, "num_hidden_layers", config.num_hidden_layers);
  add(sizes, "num_attention_heads", config.num_attention_heads);
  add(sizes, "image_size", config.image_size);
  add(sizes, "patch_size", config.patch_size);
  return sizes;
}

}  // namespace

BackboneInfo inspect_backbone(const std::string& dir) {
  const io::Json json = io::read_json(dir + "/config.json");
  BackboneInfo info;
  info.model_type = weights::JsonFields(json, "config.json").text("model_type");
  info.config = find_language_family(info.model_type) != nullptr ? inspect_language(dir) : inspect_vision(dir);
  const auto files = io::SafetensorsSet::open_directory(dir);
  info.files = files.files();
  for (const auto& [name, located] : files.tensors()) {
    std::int64_t size = 1;
    for (const std::int64_t side : located.entry->shape) size *= side;
    info.num_parameters += size;
  }
  return info;
}

}  // namespace brain3d::models
