#include <string_view>

#include "io/json.h"
#include "models/language/gemma3.h"
#include "models/language/qwen2_5.h"
#include "models/vision/siglip_config.h"
#include "targets.h"

namespace brain3d::fuzz {

bool fuzz_json_config(Input input) {
  const std::string_view text(reinterpret_cast<const char*>(input.data()), input.size());
  io::Json json;
  if (!accepts([&] { json = io::parse_json(text, "config.json"); })) return false;
  require(io::parse_json(json.dump(), "config.json") == json, "what was parsed can be written and parsed again");
  for (const auto parse : {models::parse_gemma3_text, models::parse_qwen2_5})
    accepts([&] {
      const auto spec = parse(weights::JsonFields(json, "config.json"));
      for (const std::size_t kind : spec.layer_kinds) require(kind < spec.kinds.size(), "each layer has a kind");
      require(spec.num_attention_heads % spec.num_key_value_heads == 0, "heads share keys evenly");
    });
  accepts([&] {
    const auto config = models::SiglipConfig::parse(weights::JsonFields(json, "config.json"));
    require(config.hidden_size % config.num_attention_heads == 0 && config.table_side() > 0, "heads and patches fit");
  });
  return true;
}

}  // namespace brain3d::fuzz
