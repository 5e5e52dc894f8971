#include "ops/forward.h"

#include <ATen/Parallel.h>

#include "ops/cpu/rms_norm.h"

namespace brain3d::ops {

namespace {

constexpr std::int64_t kGrainElements = 1 << 15;  // fewer are not worth a second thread

bool has_cpu_kernel(const at::Tensor& x) { return x.is_cpu() && x.scalar_type() == at::kFloat; }

template <typename Rows>
void parallel_rows(std::int64_t rows, std::int64_t width, Rows run) {
  at::parallel_for(0, rows, std::max<std::int64_t>(1, kGrainElements / width), run);
}

}  // namespace

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

at::Tensor rotary_forward(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin) {
  const auto halves = x.chunk(2, -1);
  const at::Tensor rotated = at::cat({halves[1].neg(), halves[0]}, -1);
  return (x * cos.unsqueeze(1)).add_(rotated.mul_(sin.unsqueeze(1)));  // (S, 1, Dh) against (B, S, Nh, Dh)
}

}  // namespace brain3d::ops
