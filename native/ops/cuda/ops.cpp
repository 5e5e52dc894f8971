// Unwraps tensors for the kernels.
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include "base/error.h"
#include "ops/cuda/kernels.h"
#include "ops/dispatch.h"

namespace brain3d::ops::cuda {

namespace {

FloatType float_type(const at::Tensor& x) {
  B3D_CHECK(x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16, Internal,
            "expected float32 or bfloat16, got ", x.scalar_type());
  return x.scalar_type() == at::kFloat ? FloatType::Float32 : FloatType::BFloat16;
}

int to_int(std::int64_t value) { return static_cast<int>(value); }

/// Rows of the last axis.
std::int64_t num_rows(const at::Tensor& x) { return x.size(-1) == 0 ? 0 : x.numel() / x.size(-1); }

const float* scale_data(const std::optional<at::Tensor>& scale) {
  return scale ? scale->const_data_ptr<float>() : nullptr;
}

using LaunchGated = cudaError_t(const void* x, void* y, std::int64_t num_rows, int width, FloatType type,
                                cudaStream_t stream);

/// A gated activation: x (..., 2F) -> (..., F).
at::Tensor gated(const at::Tensor& x, LaunchGated* launch) {
  const c10::cuda::CUDAGuard guard(x.device());
  const at::Tensor rows = x.contiguous();
  std::vector<std::int64_t> sizes = rows.sizes().vec();
  sizes.back() /= 2;
  at::Tensor out = at::empty(sizes, rows.options());
  C10_CUDA_CHECK(launch(rows.const_data_ptr(), out.mutable_data_ptr(), num_rows(rows), to_int(sizes.back()),
                        float_type(rows), c10::cuda::getCurrentCUDAStream()));
  return out;
}

}  // namespace

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& scale, double eps) {
  const c10::cuda::CUDAGuard guard(x.device());
  const at::Tensor rows = x.contiguous();
  at::Tensor out = at::empty_like(rows);
  C10_CUDA_CHECK(rms_norm(rows.const_data_ptr(), scale.const_data_ptr<float>(), out.mutable_data_ptr(), num_rows(rows),
                          to_int(rows.size(-1)), static_cast<float>(eps), float_type(rows),
                          c10::cuda::getCurrentCUDAStream()));
  return out;
}

NormedSum add_rms_norm(const at::Tensor& residual, const at::Tensor& x, const std::optional<at::Tensor>& scale,
                       const std::optional<at::Tensor>& next_scale, double eps) {
  const c10::cuda::CUDAGuard guard(x.device());
  const at::Tensor before = residual.contiguous(), rows = x.contiguous();
  NormedSum out{at::empty_like(rows), next_scale ? at::empty_like(rows) : at::Tensor()};
  const AddRmsNorm call{before.const_data_ptr(),    rows.const_data_ptr(),
                        scale_data(scale),          scale_data(next_scale),
                        out.sum.mutable_data_ptr(), next_scale ? out.normed.mutable_data_ptr() : nullptr};
  C10_CUDA_CHECK(add_rms_norm(call, num_rows(rows), to_int(rows.size(-1)), static_cast<float>(eps), float_type(rows),
                              c10::cuda::getCurrentCUDAStream()));
  return out;
}

bool can_split_heads(const at::Tensor& qkv, const at::Tensor& keys, const at::Tensor& values) {
  return qkv.size(-1) <= kMaxHeadDim && qkv.size(-1) % 2 == 0 && keys.is_contiguous() && values.is_contiguous();
}

at::Tensor split_heads(const at::Tensor& qkv, const HeadRotation& rotation, const at::Tensor& positions,
                       const at::Tensor& keys, const at::Tensor& values) {
  const c10::cuda::CUDAGuard guard(qkv.device());
  const at::Tensor in = qkv.contiguous(), cos = rotation.cos.contiguous(), sin = rotation.sin.contiguous();
  const auto num_kv_heads = keys.size(1), num_heads = in.size(2) - 2 * num_kv_heads;
  at::Tensor q = at::empty({in.size(0), in.size(1), num_heads, in.size(3)}, in.options());
  const SplitHeads call{
      in.const_data_ptr(),         cos.const_data_ptr(),        sin.const_data_ptr(),
      scale_data(rotation.q_norm), scale_data(rotation.k_norm), positions.const_data_ptr<std::int64_t>(),
      q.mutable_data_ptr(),        keys.mutable_data_ptr(),     values.mutable_data_ptr(),
      to_int(in.size(0)),          to_int(in.size(1)),          to_int(num_heads),
      to_int(num_kv_heads),        to_int(in.size(3)),          keys.size(2)};
  C10_CUDA_CHECK(
      split_heads(call, static_cast<float>(rotation.eps), float_type(in), c10::cuda::getCurrentCUDAStream()));
  return q;
}

at::Tensor gelu_tanh_mul(const at::Tensor& x) { return gated(x, gelu_tanh_mul); }
at::Tensor silu_mul(const at::Tensor& x) { return gated(x, silu_mul); }

bool can_decode_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
  const auto head_dim = q.size(3);
  return q.size(1) == 1 && (head_dim == 64 || head_dim == 128 || head_dim == 256) && k.strides() == v.strides() &&
         k.stride(3) == 1 && k.stride(2) == head_dim;
}

at::Tensor decode_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                            const std::optional<at::Tensor>& mask, double scale) {
  const c10::cuda::CUDAGuard guard(q.device());
  const at::Tensor queries = q.contiguous();
  const at::Tensor seen = mask ? mask->contiguous() : at::Tensor();
  at::Tensor out = at::empty({q.size(0), 1, q.size(2) * q.size(3)}, q.options());
  const DecodeAttention call{
      queries.const_data_ptr(), k.const_data_ptr(), v.const_data_ptr(), mask ? seen.const_data_ptr<bool>() : nullptr,
      out.mutable_data_ptr(),   to_int(q.size(0)),  to_int(q.size(2)),  to_int(k.size(1)),
      to_int(q.size(3)),        to_int(k.size(2)),  k.stride(0),        k.stride(1),
      static_cast<float>(scale)};
  C10_CUDA_CHECK(decode_attention(call, float_type(q), c10::cuda::getCurrentCUDAStream()));
  return out;
}

}  // namespace brain3d::ops::cuda
