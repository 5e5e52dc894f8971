// Every CUDA kernel against the ATen implementation of the same function on the CPU, and a captured step.
#include <cstdio>

#include "device/device.h"
#include "device/step_graph.h"
#include "ops/attention.h"
#include "ops/gated_activation.h"
#include "ops/heads.h"
#include "ops/rms_norm.h"
#include "support/golden.h"

using namespace brain3d;
using namespace brain3d::test;

namespace {

/// True where a CUDA device answers; otherwise says why the test does not run.
bool has_cuda(const char* test) {
  if (!cuda_devices().empty()) return true;
  std::printf("[skipped] %s: no CUDA device (or a CPU build)\n", test);
  return false;
}

constexpr at::ScalarType kTypes[] = {at::kFloat, at::kBFloat16};

/// Both compute in float32 and round alike: equal to a step or two of the type, as sums are in another order.
double tolerance(at::ScalarType type) { return type == at::kFloat ? 4e-6 : 0x1p-7; }

/// Not a round number of tokens, a batch of two, keys of which some are not to be seen.
struct Cache {
  Cache(std::int64_t num_kv_heads, std::int64_t head_dim, at::ScalarType type)
      : keys(spec_gen(21, {2, num_kv_heads, 300, head_dim}, 1).to(type)),
        values(spec_gen(22, {2, num_kv_heads, 300, head_dim}, 1).to(type)) {}
  at::Tensor keys, values;
};

}  // namespace

TEST_CASE("the RMSNorm kernel equals the ATen implementation") {
  if (!has_cuda("the RMSNorm kernel equals the ATen implementation")) return;
  const c10::InferenceMode inference;
  for (const std::int64_t width : {8, 192, 769, 2560})
    for (const at::ScalarType type : kTypes) {
      const at::Tensor x = spec_gen(1, {5, width}, 2).to(type), scale = spec_gen(2, {width}, 0.5, 1);
      check_close(ops::rms_norm(x.cuda(), scale.cuda(), 1e-6), ops::rms_norm(x, scale, 1e-6), tolerance(type));
    }
}

TEST_CASE("the kernel that adds a norm and takes the next equals the ATen implementation") {
  if (!has_cuda("the kernel that adds a norm and takes the next equals the ATen implementation")) return;
  const c10::InferenceMode inference;
  for (const std::int64_t width : {8, 769, 2560})
    for (const at::ScalarType type : kTypes) {
      const at::Tensor residual = spec_gen(1, {3, 2, width}, 2).to(type), x = spec_gen(2, {3, 2, width}, 3).to(type);
      const at::Tensor scale = spec_gen(3, {width}, 0.5, 1), next = spec_gen(4, {width}, 0.5, 1);
      const auto expected = ops::add_rms_norm(residual, x, scale, next, 1e-6);
      const auto both = ops::add_rms_norm(residual.cuda(), x.cuda(), scale.cuda(), next.cuda(), 1e-6);
      check_close(both.sum, expected.sum, tolerance(type));
      check_close(both.normed, expected.normed, 2 * tolerance(type));
      const auto alone = ops::add_rms_norm(residual.cuda(), x.cuda(), scale.cuda(), {}, 1e-6);
      check_close(alone.sum, expected.sum, tolerance(type));
      CHECK(!alone.normed.defined());
      const auto plain = ops::add_rms_norm(residual, x, {}, next, 1e-6);
      const auto plain_on_cuda = ops::add_rms_norm(residual.cuda(), x.cuda(), {}, next.cuda(), 1e-6);
      check_close(plain_on_cuda.sum, plain.sum, tolerance(type));
      check_close(plain_on_cuda.normed, plain.normed, 2 * tolerance(type));
    }
}

TEST_CASE("the kernel of the heads equals the ATen implementation, the cache beside its positions untouched") {
  if (!has_cuda("the kernel of the heads equals the ATen implementation")) return;
  const c10::InferenceMode inference;
  for (const std::int64_t head_dim : {8, 64, 256})
    for (const bool has_norms : {true, false})
      for (const at::ScalarType type : kTypes) {
        const at::Tensor qkv = spec_gen(1, {2, 3, 4 + 2 * 2, head_dim}, 2).to(type);
        const at::Tensor angles = spec_gen(5, {3, head_dim}, 3);
        ops::HeadRotation rotation{{}, {}, 1e-6, angles.cos().to(type), angles.sin().to(type)};
        ops::HeadRotation on_cuda{{}, {}, 1e-6, rotation.cos.cuda(), rotation.sin.cuda()};
        if (has_norms) {
          rotation.q_norm = spec_gen(3, {head_dim}, 0.5, 1);
          rotation.k_norm = spec_gen(4, {head_dim}, 0.5, 1);
          on_cuda.q_norm = rotation.q_norm->cuda();
          on_cuda.k_norm = rotation.k_norm->cuda();
        }
        const at::Tensor positions = at::tensor({7, 8, 200}, at::kLong);
        const Cache cache(2, head_dim, type);
        const at::Tensor keys = cache.keys.cuda(), values = cache.values.cuda();
        const at::Tensor q = ops::split_heads_into(qkv.cuda(), on_cuda, positions.cuda(), keys, values);
        check_close(q, ops::split_heads_into(qkv, rotation, positions, cache.keys, cache.values), 2 * tolerance(type));
        check_close(keys, cache.keys, 2 * tolerance(type));
        CHECK(values.cpu().equal(cache.values));
      }
}

TEST_CASE("the kernels of the gated activations equal the ATen implementation") {
  if (!has_cuda("the kernels of the gated activations equal the ATen implementation")) return;
  const c10::InferenceMode inference;
  for (const std::int64_t width : {6, 10240})
    for (const at::ScalarType type : kTypes) {
      const at::Tensor x = spec_gen(1, {2, 3, 2 * width}, 6).to(type);
      check_close(ops::gelu_tanh_mul(x.cuda()), ops::gelu_tanh_mul(x), tolerance(type));
      check_close(ops::silu_mul(x.cuda()), ops::silu_mul(x), tolerance(type));
    }
}

TEST_CASE("the decoding attention's kernel equals the ATen implementation, masked or not") {
  if (!has_cuda("the decoding attention's kernel equals the ATen implementation")) return;
  const c10::InferenceMode inference;
  for (const std::int64_t head_dim : {64, 128, 256})
    for (const std::int64_t length : {1, 5, 63, 300})
      for (const at::ScalarType type : kTypes) {
        CAPTURE(head_dim);
        CAPTURE(length);
        const at::Tensor q = spec_gen(1, {2, 1, 6, head_dim}, 2).to(type);
        const Cache cache(3, head_dim, type);
        // The first places are outside a sliding window, the last ones not yet written.
        const at::Tensor places = at::arange(length);
        const at::Tensor window = places.ge(length / 4).logical_and(places.le(length / 2)).unsqueeze(0);
        for (const auto& mask : {std::optional<at::Tensor>(), std::optional<at::Tensor>(window)}) {
          const auto attend = [&](const at::Tensor& query, const at::Tensor& keys, const at::Tensor& values,
                                  const std::optional<at::Tensor>& seen) {
            return ops::grouped_query_attention(query, keys.narrow(2, 0, length), values.narrow(2, 0, length), seen,
                                                0.1);
          };
          check_close(attend(q.cuda(), cache.keys.cuda(), cache.values.cuda(),
                             mask ? std::optional<at::Tensor>(mask->cuda()) : std::nullopt),
                      attend(q, cache.keys, cache.values, mask), 2 * tolerance(type));
        }
      }
}

TEST_CASE("a captured step replays") {
  if (!has_cuda("a captured step replays")) return;
  const c10::InferenceMode inference;
  at::Tensor counter = at::zeros({1}, at::TensorOptions().device(at::kCUDA));
  StepGraph graph(counter.device(), true);
  for (int i = 0; i < 6; ++i) graph.run(i % 2, [&] { counter.add_(1 + i % 2); });  // two graphs over one pool
  CHECK(counter.item<float>() == 9);
}
