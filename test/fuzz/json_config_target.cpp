#include <string_view>

#include "io/json.h"
#include "models/language/gemma3_config.h"
#include "models/vision/siglip_config.h"
#include "targets.h"

namespace brain3d::fuzz {

bool fuzz_json_config(Input input) {
  const std::string_view text(reinterpret_cast<const char*>(input.data()), input.size());
  io::Json json;
  if (!accepts([&] { json = io::parse_json(text, "config.json"); })) return false;
  require(io::parse_json(json.dump(), "config.json") == json, "what was parsed can be written and parsed again");
  accepts([&] {
    const auto config = models::Gemma3Config::parse(weights::JsonFields(json, "config.json"));
    require(config.is_sliding.size() == static_cast<std::size_t>(config.num_hidden_layers), "each layer has a kind");
    require(config.num_attention_heads % config.num_key_value_heads == 0, "heads share keys evenly");
  });
  accepts([&] {
    const auto config = models::SiglipConfig::parse(weights::JsonFields(json, "config.json"));
    require(config.hidden_size % config.num_attention_heads == 0 && config.table_side() > 0, "heads and patches fit");
  });
  return true;
}

}  // namespace brain3d::fuzz
