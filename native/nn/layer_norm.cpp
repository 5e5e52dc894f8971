#include "nn/layer_norm.h"

namespace brain3d::nn {

at::Tensor LayerNorm::forward(const at::Tensor& x, double eps) const {
  return at::layer_norm(x, {x.size(-1)}, weight, bias, eps);
}

}  // namespace brain3d::nn
