#include "device/dtype.h"

#include "base/error.h"

namespace brain3d {

at::ScalarType parse_dtype(const std::string& name) {
  if (name == "float32") return at::kFloat;
  if (name == "bfloat16") return at::kBFloat16;
  fail(ErrorCode::Usage, "expected dtype float32 or bfloat16, got '", name, "'");
}

const char* dtype_name(at::ScalarType dtype) { return dtype == at::kBFloat16 ? "bfloat16" : "float32"; }

}  // namespace brain3d
