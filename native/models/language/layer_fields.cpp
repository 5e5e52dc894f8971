#include "models/language/layer_fields.h"

#include "base/error.h"

namespace brain3d::models {

void RopeFields::update(const weights::JsonFields& rope, bool may_be_linear) {
  theta = rope.positive("rope_theta", theta);
  for (const char* key : {"rope_type", "type"}) {  // the second is the name of older versions
    if (!rope.has(key)) continue;
    const std::string type = rope.text(key);
    if (type != "default" && !(may_be_linear && type == "linear"))
      rope.fail("rope_type", may_be_linear ? "default or linear" : "default");
    if (type != rope.text("rope_type", type)) rope.fail("rope_type", "the same as for 'type'");
    is_linear = type == "linear";
  }
  if (may_be_linear && rope.has("factor")) linear_factor = rope.positive("factor");
  if (is_linear && linear_factor == 0) rope.fail("factor", "a number > 0");
}

std::vector<bool> read_sliding_layers(const weights::JsonFields& fields, std::int64_t num_layers) {
  const io::Json& types = fields.raw("layer_types");
  if (!types.is_array() || types.size() != static_cast<std::size_t>(num_layers))
    fields.fail("layer_types", concat("a list of ", num_layers));
  std::vector<bool> is_sliding;
  for (const io::Json& type : types) {
    // Not compared as JSON: the library would make a value of the text where it may not fail for want of memory.
    const auto* name = type.get_ptr<const std::string*>();
    if (name == nullptr || (*name != "full_attention" && *name != "sliding_attention"))
      fields.fail("layer_types", "full_attention or sliding_attention for each layer");
    is_sliding.push_back(*name == "sliding_attention");
  }
  return is_sliding;
}

}  // namespace brain3d::models
