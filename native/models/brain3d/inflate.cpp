#include "models/brain3d/inflate.h"

namespace brain3d::models {

at::Tensor inflate_patch_embedding(const at::Tensor& weight2d, ChannelCollapse collapse, std::int64_t depth_kernel) {
  const at::Tensor channels = weight2d.to(at::kFloat);
  const at::Tensor grey =
      collapse == ChannelCollapse::Sum ? channels.sum(1, /*keepdim=*/true) : channels.mean(1, /*keepdim=*/true);
  // (E, 1, p, p) -> (E, 1, depth_kernel, p, p)
  return grey.unsqueeze(2).repeat({1, 1, depth_kernel, 1, 1}).div_(static_cast<double>(depth_kernel));
}

}  // namespace brain3d::models
