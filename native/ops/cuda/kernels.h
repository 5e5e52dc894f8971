// Launchers of the kernels: raw pointers only, so that nvcc compiles the .cu files without ATen. Tensors are contiguous
// unless said otherwise; work is queued on `stream`, and what the launch itself says is returned.
#pragma once

#include <cuda_runtime_api.h>
#include <cstdint>

namespace brain3d::ops::cuda {

enum class FloatType { Float32, BFloat16 };

/// Of a row of `width` elements: y = rms_norm(x, scale). x, y (num_rows, width); scale (width) float32.
cudaError_t rms_norm(const void* x, const float* scale, void* y, std::int64_t num_rows, int width, float eps,
                     FloatType type, cudaStream_t stream);

/// sum = residual + rms_norm(x, scale), or residual + x where `scale` is null; and, unless `normed` is null,
/// normed = rms_norm(sum, next_scale).
struct AddRmsNorm {
  const void *residual, *x;
  const float *scale, *next_scale;
  void *sum, *normed;
};
cudaError_t add_rms_norm(const AddRmsNorm& call, std::int64_t num_rows, int width, float eps, FloatType type,
                         cudaStream_t stream);

inline constexpr int kMaxHeadDim = 512;

/// ops::split_heads: qkv (B, S, Nh + 2 Nkv, Dh) to q (B, S, Nh, Dh) and into keys, values (B, Nkv, max_length, Dh) at
/// positions (S). Dh is even and at most kMaxHeadDim. The two norms are null where the model has none.
struct SplitHeads {
  const void *qkv, *cos, *sin;
  const float *q_norm, *k_norm;
  const std::int64_t* positions;
  void *q, *keys, *values;
  int batch, count, num_heads, num_kv_heads, head_dim;
  std::int64_t max_length;
};
cudaError_t split_heads(const SplitHeads& call, float eps, FloatType type, cudaStream_t stream);

/// y = gelu_tanh(x[:, :width]) * x[:, width:]. x (num_rows, 2 width), y (num_rows, width).
cudaError_t gelu_tanh_mul(const void* x, void* y, std::int64_t num_rows, int width, FloatType type,
                          cudaStream_t stream);

/// y = silu(x[:, :width]) * x[:, width:], as above.
cudaError_t silu_mul(const void* x, void* y, std::int64_t num_rows, int width, FloatType type, cudaStream_t stream);

/// Attention of one query a sequence: q, out (B, Nh, Dh); keys, values (B, Nkv, length, Dh), of which the last two axes
/// are contiguous; mask (length), true = may attend, or null. Dh is 64, 128 or 256.
struct DecodeAttention {
  const void *q, *keys, *values;
  const bool* mask;
  void* out;
  int batch, num_heads, num_kv_heads, head_dim, length;
  std::int64_t batch_stride, head_stride;  // of keys and values alike, in elements
  float scale;
};
cudaError_t decode_attention(const DecodeAttention& call, FloatType type, cudaStream_t stream);

}  // namespace brain3d::ops::cuda
