#include "models/vision/siglip_config.h"

#include "base/error.h"

namespace brain3d::models {

SiglipConfig SiglipConfig::parse(const weights::JsonFields& fields) {
  SiglipConfig config;
  config.hidden_size = fields.integer("hidden_size", config.hidden_size);
  config.intermediate_size = fields.integer("intermediate_size", config.intermediate_size);
  config.num_hidden_layers = fields.integer("num_hidden_layers", config.num_hidden_layers, 1, 1024);
  config.num_attention_heads = fields.integer("num_attention_heads", config.num_attention_heads);
  config.num_channels = fields.integer("num_channels", config.num_channels, 1, 16);
  config.image_size = fields.integer("image_size", config.image_size);
  config.patch_size = fields.integer("patch_size", config.patch_size);
  config.layer_norm_eps = fields.positive("layer_norm_eps", config.layer_norm_eps);
  if (fields.text("hidden_act", "gelu_pytorch_tanh") != "gelu_pytorch_tanh")
    fields.fail("hidden_act", "gelu_pytorch_tanh");
  if (config.hidden_size % config.num_attention_heads != 0)
    fields.fail("num_attention_heads", "a divisor of hidden_size");
  if (config.image_size < config.patch_size) fields.fail("image_size", "a size of at least one patch");
  return config;
}

SiglipConfig SiglipConfig::read(const std::string& dir) {
  const io::Json json = io::read_json(dir + "/config.json");
  const weights::JsonFields root(json, "config.json");
  const std::string type = root.text("model_type");
  if (type == "siglip_vision_model") return parse(root);
  if (type == "siglip" || type == "gemma3") return parse(root.object("vision_config"));
  root.fail("model_type", "siglip, siglip_vision_model or gemma3 (a vision backbone)");
}

}  // namespace brain3d::models
