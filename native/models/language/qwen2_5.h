// Qwen 2.5 (and Qwen 2, whose network it is): what its config.json says of the decoder.   [QWEN2.5]
#pragma once

#include "models/language/decoder_spec.h"
#include "weights/json_fields.h"

namespace brain3d::models {

/// A config.json of model_type qwen2. Absent fields take the library's defaults.
DecoderSpec parse_qwen2_5(const weights::JsonFields& root);

}  // namespace brain3d::models
