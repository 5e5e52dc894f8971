// The heads of a layer in one launch where ATen takes fourteen: two norms, two rotary embeddings and two writes into
// the cache. A block takes one head of one token; intermediate results are rounded where ATen keeps them in a tensor.
#include "ops/cuda/element.cuh"
#include "ops/cuda/heads.h"

namespace brain3d::ops::cuda {

namespace {

constexpr int kThreads = 128;

template <typename T>
__global__ void split_heads_kernel(SplitHeads call, float eps) {
  __shared__ float normed[kMaxHeadDim];
  const int head_dim = call.head_dim, half = head_dim / 2;
  const int num_all = call.num_heads + 2 * call.num_kv_heads;
  const int head = static_cast<int>(blockIdx.x) % num_all, token = static_cast<int>(blockIdx.x) / num_all;
  const int sequence = token / call.count, at = token % call.count;
  const T* in = static_cast<const T*>(call.qkv) + static_cast<std::int64_t>(blockIdx.x) * head_dim;

  const bool is_query = head < call.num_heads, is_value = head >= call.num_heads + call.num_kv_heads;
  T* out;
  if (is_query) {
    out = static_cast<T*>(call.q) + (static_cast<std::int64_t>(token) * call.num_heads + head) * head_dim;
  } else {
    const int kv_head = (head - call.num_heads) % call.num_kv_heads;
    const std::int64_t row =
        (static_cast<std::int64_t>(sequence) * call.num_kv_heads + kv_head) * call.max_length + call.positions[at];
    out = static_cast<T*>(is_value ? call.values : call.keys) + row * head_dim;
  }
  if (is_value) {
    for (int i = threadIdx.x; i < head_dim; i += kThreads) out[i] = in[i];
    return;
  }

  const float* scale = is_query ? call.q_norm : call.k_norm;
  if (scale == nullptr) {
    for (int i = threadIdx.x; i < head_dim; i += kThreads) normed[i] = load(in, i);
  } else {
    float squares = 0.0f;
    for (int i = threadIdx.x; i < head_dim; i += kThreads) {
      const float value = load(in, i);
      squares += value * value;
    }
    const float inverse = rsqrtf(block_sum<kThreads>(squares) / static_cast<float>(head_dim) + eps);
    for (int i = threadIdx.x; i < head_dim; i += kThreads) normed[i] = rounded<T>(load(in, i) * inverse * scale[i]);
  }
  __syncthreads();
  const T* cos = static_cast<const T*>(call.cos) + static_cast<std::int64_t>(at) * head_dim;
  const T* sin = static_cast<const T*>(call.sin) + static_cast<std::int64_t>(at) * head_dim;
  for (int i = threadIdx.x; i < head_dim; i += kThreads) {
    const float turned = i < half ? -normed[i + half] : normed[i - half];
    store(out, i, rounded<T>(normed[i] * load(cos, i)) + rounded<T>(turned * load(sin, i)));
  }
}

}  // namespace

cudaError_t split_heads_into(const SplitHeads& call, float eps, FloatType type, cudaStream_t stream) {
  const int num_all = call.num_heads + 2 * call.num_kv_heads;
  const auto blocks = static_cast<unsigned>(call.batch * call.count * num_all);
  if (blocks == 0) return cudaSuccess;
  if (type == FloatType::Float32)
    split_heads_kernel<float><<<blocks, kThreads, 0, stream>>>(call, eps);
  else
    split_heads_kernel<__nv_bfloat16><<<blocks, kThreads, 0, stream>>>(call, eps);
  return cudaGetLastError();
}

}  // namespace brain3d::ops::cuda
