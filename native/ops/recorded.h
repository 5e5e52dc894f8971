// Tells whether an operation's result needs a backward pass.
#pragma once

#include "device/torch.h"

namespace brain3d::ops {

/// True if results computed from x are recorded for a backward pass.
inline bool is_recorded(const at::Tensor& x) { return c10::GradMode::is_enabled() && x.requires_grad(); }

}  // namespace brain3d::ops
