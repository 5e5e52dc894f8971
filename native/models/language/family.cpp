#include "models/language/family.h"

#include <algorithm>

#include "base/error.h"
#include "models/language/gemma3.h"
#include "models/language/qwen2_5.h"

namespace brain3d::models {

namespace {

/// "gemma3, gemma3_text or qwen2".
std::string known_types() {
  std::vector<std::string> types;
  for (const LanguageFamily& family : language_families())
    types.insert(types.end(), family.model_types.begin(), family.model_types.end());
  std::string text = types.front();
  for (std::size_t i = 1; i < types.size(); ++i) text += (i + 1 < types.size() ? ", " : " or ") + types[i];
  return text;
}

}  // namespace

const std::vector<LanguageFamily>& language_families() {
  static const std::vector<LanguageFamily> families{
      {{"gemma3", "gemma3_text"}, parse_gemma3},
      {{"qwen2"}, parse_qwen2_5},
  };
  return families;
}

const LanguageFamily* find_language_family(const std::string& model_type) {
  for (const LanguageFamily& family : language_families())
    if (std::find(family.model_types.begin(), family.model_types.end(), model_type) != family.model_types.end())
      return &family;
  return nullptr;
}

DecoderSpec read_decoder_spec(const std::string& dir) {
  const io::Json json = io::read_json(dir + "/config.json");
  const weights::JsonFields root(json, "config.json");
  if (root.has("quantization_config"))
    throw Error(ErrorCode::Unsupported,
                "config.json: quantization_config is set; brain3d reads float32, float16 and bfloat16 weights, so give "
                "the unquantised model",
                {"config.json", "quantization_config", -1});
  const LanguageFamily* family = find_language_family(root.text("model_type"));
  if (family == nullptr) root.fail("model_type", concat(known_types(), " (a language backbone)"));
  return family->parse(root);
}

}  // namespace brain3d::models
