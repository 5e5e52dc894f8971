#include "ops/heads.h"

#include "ops/cuda/heads.h"
#include "ops/cuda/unwrap.h"

namespace brain3d::ops::cuda {

bool can_split_heads_into(const at::Tensor& qkv, const at::Tensor& keys, const at::Tensor& values) {
  return qkv.size(-1) <= kMaxHeadDim && qkv.size(-1) % 2 == 0 && keys.is_contiguous() && values.is_contiguous();
}

at::Tensor split_heads_into(const at::Tensor& qkv, const HeadRotation& rotation, const at::Tensor& positions,
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
      split_heads_into(call, static_cast<float>(rotation.eps), float_type(in), c10::cuda::getCurrentCUDAStream()));
  return q;
}

}  // namespace brain3d::ops::cuda
