// Names of the two compute types, as users write them.
#pragma once

#include <string>

#include "device/torch.h"

namespace brain3d {

/// "float32" | "bfloat16"; anything else throws Usage.
at::ScalarType parse_dtype(const std::string& name);
const char* dtype_name(at::ScalarType dtype);

}  // namespace brain3d
