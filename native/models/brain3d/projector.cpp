#include "models/brain3d/projector.h"

namespace brain3d::models {

at::Tensor Projector::project(const at::Tensor& z) const { return fc2.forward(at::gelu(fc1.forward(z), "none")); }

at::Tensor Projector::forward(const at::Tensor& pooled) const {
  const at::Tensor projected = project(pooled);
  return projected * vis_scale.to(projected.scalar_type());
}

std::int64_t Projector::num_parameters() const {
  return fc1.num_parameters() + fc2.num_parameters() + vis_scale.numel();
}

std::int64_t Projector::weight_bytes() const {
  return fc1.bytes() + fc2.bytes() + static_cast<std::int64_t>(vis_scale.nbytes());
}

}  // namespace brain3d::models
