#include "ops/autograd.h"

#include <torch/csrc/autograd/custom_function.h>

#include "ops/forward.h"

namespace brain3d::ops {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct RmsNorm : torch::autograd::Function<RmsNorm> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& scale, double eps) {
    const Normed normed = rms_norm_forward(x, scale, eps);
    context->save_for_backward({x, scale, normed.inverse_rms});
    return normed.y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    return {rms_norm_backward(gradients[0], saved[0], saved[1], saved[2]), {}, {}};
  }
};

struct Rotary : torch::autograd::Function<Rotary> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& cos,
                            const at::Tensor& sin) {
    context->save_for_backward({cos, sin});
    return rotary_forward(x, cos, sin);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    return {rotary_forward(gradients[0], saved[0], saved[1].neg()), {}, {}};
  }
};

}  // namespace

at::Tensor rms_norm_recorded(const at::Tensor& x, const at::Tensor& scale, double eps) {
  return RmsNorm::apply(x, scale, eps);
}

at::Tensor rotary_recorded(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin) {
  return Rotary::apply(x, cos, sin);
}

}  // namespace brain3d::ops
