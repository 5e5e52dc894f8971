// Attention of one new token over the cache. A library's kernel gives a head to one block that walks the keys in tiles,
// which is slow with one query, and wants the mask as numbers. Here the warps of a block share out the keys, each with
// a running softmax, and are put together at the end.
#include "ops/cuda/attention.h"
#include "ops/cuda/element.cuh"

namespace brain3d::ops::cuda {

namespace {

constexpr int kWarps = 16;
constexpr int kThreads = 32 * kWarps;
constexpr int kKeys = 4;  // that a warp has under way at once, to hide their loads

/// A block takes one query head of one sequence; a lane kHeadDim / 32 neighbouring channels.
template <typename T, int kHeadDim>
__global__ void __launch_bounds__(kThreads) decode_attention_kernel(OneQueryAttention call) {
  constexpr int kChannels = kHeadDim / 32;
  constexpr float kNone = -INFINITY;
  const int head = static_cast<int>(blockIdx.x), sequence = static_cast<int>(blockIdx.y);
  const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
  const int kv_head = head / (call.num_heads / call.num_kv_heads);
  const std::int64_t row = static_cast<std::int64_t>(sequence) * call.num_heads + head;
  const std::int64_t begin = sequence * call.batch_stride + kv_head * call.head_stride + lane * kChannels;
  const T* keys = static_cast<const T*>(call.keys) + begin;
  const T* values = static_cast<const T*>(call.values) + begin;

  float query[kChannels];
  load_vector(static_cast<const T*>(call.q) + row * kHeadDim + lane * kChannels, query);
  float largest = kNone, total = 0.0f, mean[kChannels] = {};  // the softmax of the keys so far, not yet divided
  for (int first = warp * kKeys; first < call.length; first += kWarps * kKeys) {
    float scores[kKeys], value[kKeys][kChannels];
    bool seen[kKeys];
#pragma unroll
    for (int j = 0; j < kKeys; ++j) {
      const int at = first + j;
      seen[j] = at < call.length && (call.mask == nullptr || call.mask[at]);
      float key[kChannels] = {};
#pragma unroll
      for (int i = 0; i < kChannels; ++i) value[j][i] = 0.0f;
      if (seen[j]) {  // the same for the whole warp
        load_vector(keys + static_cast<std::int64_t>(at) * kHeadDim, key);
        load_vector(values + static_cast<std::int64_t>(at) * kHeadDim, value[j]);
      }
      scores[j] = 0.0f;
#pragma unroll
      for (int i = 0; i < kChannels; ++i) scores[j] += query[i] * key[i];
    }
    float new_largest = largest;
#pragma unroll
    for (int j = 0; j < kKeys; ++j) {
      for (int offset = 16; offset > 0; offset /= 2) scores[j] += __shfl_xor_sync(0xffffffffu, scores[j], offset);
      scores[j] = seen[j] ? scores[j] * call.scale : kNone;
      new_largest = fmaxf(new_largest, scores[j]);
    }
    if (new_largest == kNone) continue;  // none of these keys is seen
    const float shrink = expf(largest - new_largest);
    largest = new_largest;
    total *= shrink;
#pragma unroll
    for (int i = 0; i < kChannels; ++i) mean[i] *= shrink;
#pragma unroll
    for (int j = 0; j < kKeys; ++j) {
      const float weight = expf(scores[j] - largest);
      total += weight;
#pragma unroll
      for (int i = 0; i < kChannels; ++i) mean[i] += weight * value[j][i];
    }
  }

  __shared__ float warp_largest[kWarps], warp_total[kWarps], warp_mean[kWarps][kHeadDim];
  if (lane == 0) {
    warp_largest[warp] = largest;
    warp_total[warp] = total;
  }
#pragma unroll
  for (int i = 0; i < kChannels; ++i) warp_mean[warp][lane * kChannels + i] = mean[i];
  __syncthreads();
  float all_largest = kNone, all_total = 0.0f;
  for (int w = 0; w < kWarps; ++w) all_largest = fmaxf(all_largest, warp_largest[w]);
  for (int w = 0; w < kWarps; ++w) all_total += warp_total[w] * expf(warp_largest[w] - all_largest);
  T* out = static_cast<T*>(call.out) + row * kHeadDim;
  for (int i = static_cast<int>(threadIdx.x); i < kHeadDim; i += kThreads) {
    float sum = 0.0f;
    for (int w = 0; w < kWarps; ++w) sum += warp_mean[w][i] * expf(warp_largest[w] - all_largest);
    store(out, i, sum / all_total);
  }
}

template <typename T>
void launch(const OneQueryAttention& call, cudaStream_t stream) {
  const dim3 blocks(static_cast<unsigned>(call.num_heads), static_cast<unsigned>(call.batch));
  switch (call.head_dim) {
    case 64: decode_attention_kernel<T, 64><<<blocks, kThreads, 0, stream>>>(call); break;
    case 128: decode_attention_kernel<T, 128><<<blocks, kThreads, 0, stream>>>(call); break;
    default: decode_attention_kernel<T, 256><<<blocks, kThreads, 0, stream>>>(call);
  }
}

}  // namespace

cudaError_t one_query_attention(const OneQueryAttention& call, FloatType type, cudaStream_t stream) {
  if (call.batch == 0) return cudaSuccess;
  if (type == FloatType::Float32)
    launch<float>(call, stream);
  else
    launch<__nv_bfloat16>(call, stream);
  return cudaGetLastError();
}

}  // namespace brain3d::ops::cuda
