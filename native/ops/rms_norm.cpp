#include "ops/rms_norm.h"

#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include "ops/cpu/rms_norm.h"
#include "ops/dispatch.h"
#include "ops/recorded.h"

namespace brain3d::ops {

namespace cuda {  // defined in cuda/rms_norm.cpp
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& scale, double eps);
NormedSum add_rms_norm(const at::Tensor& residual, const at::Tensor& x, const std::optional<at::Tensor>& scale,
                       const std::optional<at::Tensor>& next_scale, double eps);
}  // namespace cuda

namespace {

struct Normed {
  at::Tensor y;            // x's dtype
  at::Tensor inverse_rms;  // (..., 1) float32
};

constexpr std::int64_t kGrainElements = 1 << 15;  // fewer are not worth a second thread

bool has_cpu_kernel(const at::Tensor& x) { return x.is_cpu() && x.scalar_type() == at::kFloat; }

template <typename Rows>
void parallel_rows(std::int64_t rows, std::int64_t width, Rows run) {
  at::parallel_for(0, rows, std::max<std::int64_t>(1, kGrainElements / width), run);
}

Normed rms_norm_forward(const at::Tensor& x, const at::Tensor& scale, double eps) {
  if (has_cpu_kernel(x)) {
    const at::Tensor in = x.contiguous();
    std::vector<std::int64_t> one_each = x.sizes().vec();
    one_each.back() = 1;
    const Normed out{at::empty_like(in), at::empty(one_each, in.options())};
    const std::int64_t width = x.size(-1);
    parallel_rows(out.inverse_rms.numel(), width, [&](std::int64_t begin, std::int64_t end) {
      cpu::rms_norm_rows(in.const_data_ptr<float>(), scale.const_data_ptr<float>(), out.y.mutable_data_ptr<float>(),
                         out.inverse_rms.mutable_data_ptr<float>(), begin, end, width, eps);
    });
    return out;
  }
  const at::Tensor x32 = x.to(at::kFloat);
  const at::Tensor inverse_rms = x32.square().mean(-1, /*keepdim=*/true).add_(eps).rsqrt_();
  // The scale multiplies before the cast back, as in Gemma; casting first changes bfloat16 logits.   [GEMMA3]
  return {(x32 * inverse_rms).mul_(scale).to(x.scalar_type()), inverse_rms};
}

/// d of x for a gradient of y; in x's dtype, computed in float32.
at::Tensor rms_norm_backward(const at::Tensor& gradient, const at::Tensor& x, const at::Tensor& scale,
                             const at::Tensor& inverse_rms) {
  if (has_cpu_kernel(x)) {
    const at::Tensor in = x.contiguous(), g = gradient.contiguous();
    at::Tensor dx = at::empty_like(in);
    const std::int64_t width = x.size(-1);
    parallel_rows(inverse_rms.numel(), width, [&](std::int64_t begin, std::int64_t end) {
      cpu::rms_norm_backward_rows(g.const_data_ptr<float>(), in.const_data_ptr<float>(), scale.const_data_ptr<float>(),
                                  inverse_rms.const_data_ptr<float>(), dx.mutable_data_ptr<float>(), begin, end, width);
    });
    return dx;
  }
  const at::Tensor normed = x.to(at::kFloat) * inverse_rms;
  const at::Tensor scaled = gradient.to(at::kFloat) * scale;
  const at::Tensor mean = (scaled * normed).mean(-1, /*keepdim=*/true);
  return ((scaled - normed * mean) * inverse_rms).to(x.scalar_type());
}

/// The norm with a frozen scale, whose history is x and one number a row.
struct RmsNorm : torch::autograd::Function<RmsNorm> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x, const at::Tensor& scale,
                            double eps) {
    const Normed normed = rms_norm_forward(x, scale, eps);
    context->save_for_backward({x, scale, normed.inverse_rms});
    return normed.y;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    return {rms_norm_backward(gradients[0], saved[0], saved[1], saved[2]), {}, {}};
  }
};

}  // namespace

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& scale, double eps) {
  if (is_recorded(x)) return RmsNorm::apply(x, scale, eps);
  if (has_cuda_kernel(x)) return cuda::rms_norm(x, scale, eps);
  return rms_norm_forward(x, scale, eps).y;
}

NormedSum add_rms_norm(const at::Tensor& residual, const at::Tensor& x, const std::optional<at::Tensor>& scale,
                       const std::optional<at::Tensor>& next_scale, double eps) {
  if (has_cuda_kernel(x)) return cuda::add_rms_norm(residual, x, scale, next_scale, eps);
  const at::Tensor sum = residual + (scale ? rms_norm(x, *scale, eps) : x);
  return {sum, next_scale ? rms_norm(sum, *next_scale, eps) : at::Tensor()};
}

}  // namespace brain3d::ops
