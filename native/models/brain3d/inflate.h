// Inflates a 2D patch embedding to a 3D one.
#pragma once

#include "device/torch.h"
#include "models/brain3d/recipe.h"

namespace brain3d::models {

/// W3[o, 0, z, y, x] = collapse_c(W2[o, c, y, x]) / depth_kernel.   [I3D], paper section on inflation
/// With `Sum`, the response on a volume constant along depth equals the 2D response on the replicated grey image, away
/// from the padded ends. weight2d (E, C, p, p) -> (E, 1, depth_kernel, p, p), float32.
at::Tensor inflate_patch_embedding(const at::Tensor& weight2d, ChannelCollapse collapse, std::int64_t depth_kernel);

}  // namespace brain3d::models
