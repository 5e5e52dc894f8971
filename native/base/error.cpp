#include "base/error.h"

namespace brain3d {

const char* error_code_name(ErrorCode code) {
  switch (code) {
    case ErrorCode::Usage: return "USAGE";
    case ErrorCode::NotFound: return "NOT_FOUND";
    case ErrorCode::Io: return "IO";
    case ErrorCode::Format: return "FORMAT";
    case ErrorCode::Unsupported: return "UNSUPPORTED";
    case ErrorCode::Orientation: return "ORIENTATION";
    case ErrorCode::Volume: return "VOLUME";
    case ErrorCode::Config: return "CONFIG";
    case ErrorCode::Weights: return "WEIGHTS";
    case ErrorCode::Shape: return "SHAPE";
    case ErrorCode::Device: return "DEVICE";
    case ErrorCode::OutOfMemory: return "OUT_OF_MEMORY";
    case ErrorCode::Cancelled: return "CANCELLED";
    case ErrorCode::Disposed: return "DISPOSED";
    case ErrorCode::Internal: return "INTERNAL";
  }
  return "INTERNAL";
}

}  // namespace brain3d
