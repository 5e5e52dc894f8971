#include "ops/attention.h"

#include "ops/cuda/attention.h"
#include "ops/cuda/unwrap.h"

namespace brain3d::ops::cuda {

bool can_attend(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
  const auto head_dim = q.size(3);
  return q.size(1) == 1 && (head_dim == 64 || head_dim == 128 || head_dim == 256) && k.strides() == v.strides() &&
         k.stride(3) == 1 && k.stride(2) == head_dim;
}

at::Tensor grouped_query_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                   const std::optional<at::Tensor>& mask, double scale) {
  const c10::cuda::CUDAGuard guard(q.device());
  const at::Tensor queries = q.contiguous();
  const at::Tensor seen = mask ? mask->contiguous() : at::Tensor();
  at::Tensor out = at::empty({q.size(0), 1, q.size(2) * q.size(3)}, q.options());
  const OneQueryAttention call{
      queries.const_data_ptr(), k.const_data_ptr(), v.const_data_ptr(), mask ? seen.const_data_ptr<bool>() : nullptr,
      out.mutable_data_ptr(),   to_int(q.size(0)),  to_int(q.size(2)),  to_int(k.size(1)),
      to_int(q.size(3)),        to_int(k.size(2)),  k.stride(0),        k.stride(1),
      static_cast<float>(scale)};
  C10_CUDA_CHECK(one_query_attention(call, float_type(q), c10::cuda::getCurrentCUDAStream()));
  return out;
}

}  // namespace brain3d::ops::cuda
