#include "models/brain3d/projector.h"

namespace brain3d::models {

at::Tensor Projector::project(const at::Tensor& z) const { return fc2.forward(at::gelu(fc1.forward(z), "none")); }

at::Tensor Projector::forward(const at::Tensor& pooled) const {
  const at::Tensor projected = project(pooled);
  return projected * vis_scale.to(projected.scalar_type());
}

std::int64_t Projector::num_parameters() const {
  return fc1.weight.numel() + fc1.bias.numel() + fc2.weight.numel() + fc2.bias.numel() + vis_scale.numel();
}

}  // namespace brain3d::models
