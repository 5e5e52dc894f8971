// Gemma 3: what its config.json, in either dialect, says of the decoder.   [GEMMA3]
#pragma once

#include "models/language/decoder_spec.h"
#include "weights/json_fields.h"

namespace brain3d::models {

/// The kinds of a Gemma 3 layer, as indices into DecoderSpec::kinds.
inline constexpr std::size_t kGemma3Global = 0, kGemma3Local = 1;

/// The fields of a text decoder. Absent fields take the library's defaults: the published multimodal 4B config lists
/// only a few of them.
DecoderSpec parse_gemma3_text(const weights::JsonFields& text_config);

/// A whole config.json: model_type gemma3_text, or gemma3 with the decoder in `text_config`.
DecoderSpec parse_gemma3(const weights::JsonFields& root);

}  // namespace brain3d::models
