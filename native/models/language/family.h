// The families of language models that brain3d runs. A family is a file that turns a config.json into a DecoderSpec; to
// add one, write that file and list it in family.cpp.
#pragma once

#include <string>
#include <vector>

#include "models/language/decoder_spec.h"
#include "weights/json_fields.h"

namespace brain3d::models {

struct LanguageFamily {
  std::vector<std::string> model_types;  // values of `model_type` in config.json
  DecoderSpec (*parse)(const weights::JsonFields& root);
};

const std::vector<LanguageFamily>& language_families();

/// The family of a `model_type`, null where there is none.
const LanguageFamily* find_language_family(const std::string& model_type);

/// Reads DIR/config.json. Throws Config for a model_type of no family and for fields that are wrong, Unsupported for
/// quantised weights.
DecoderSpec read_decoder_spec(const std::string& dir);

}  // namespace brain3d::models
