// The kernels and hand-written backward passes of ops against the plain formulas under autograd, and against finite
// differences.
#include "ops/heads.h"
#include "ops/rms_norm.h"
#include "support/golden.h"

using namespace brain3d;
using namespace brain3d::test;

namespace {

constexpr double kEps = 1e-6;

at::Tensor on_device(std::uint32_t t, at::IntArrayRef shape, double amplitude, double offset = 0) {
  return spec_gen(t, shape, amplitude, offset).to(test_device());
}

at::Tensor plain_rms_norm(const at::Tensor& x, const at::Tensor& scale) {
  return x * (x.square().mean(-1, true) + kEps).rsqrt() * scale;
}

at::Tensor plain_rotary(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin) {
  const auto halves = x.chunk(2, -1);
  return x * cos.unsqueeze(1) + at::cat({-halves[1], halves[0]}, -1) * sin.unsqueeze(1);
}

struct Tables {
  at::Tensor cos, sin;
};

/// Each half the same, as rotary tables are.
Tables rotary_tables(std::int64_t length, std::int64_t head_dim) {
  const at::Tensor angles = spec_gen(7, {length, head_dim / 2}, 3.0);
  const at::Tensor both = at::cat({angles, angles}, 1);
  return {both.cos(), both.sin()};
}

/// Output and gradient of sum(op(x) * direction).
template <typename Operation>
std::pair<at::Tensor, at::Tensor> with_gradient(const at::Tensor& x, const at::Tensor& direction, Operation operation) {
  const at::Tensor leaf = x.detach().clone().requires_grad_(true);
  const at::Tensor y = operation(leaf);
  y.backward(direction);
  return {y.detach(), leaf.grad()};
}

template <typename Operation>
void check_finite_differences(const at::Tensor& x, const at::Tensor& direction, const at::Tensor& gradient,
                              Operation operation) {
  constexpr float kStep = 1e-2F;
  at::Tensor moved = x.clone();
  auto* values = moved.mutable_data_ptr<float>();
  const auto loss = [&] { return (operation(moved).to(at::kDouble) * direction).sum().template item<double>(); };
  for (std::int64_t i = 0; i < x.numel(); i += 3) {
    const float original = values[i];
    values[i] = original + kStep;
    const double above = loss();
    values[i] = original - kStep;
    const double below = loss();
    values[i] = original;
    CHECK((above - below) / (2 * static_cast<double>(kStep)) ==
          doctest::Approx(gradient.flatten()[i].item<double>()).epsilon(5e-3).scale(1));
  }
}

}  // namespace

TEST_CASE("RMSNorm and its backward pass are the plain formula's, at any width and layout") {
  for (const std::int64_t width : {1, 8, 17, 192, 769}) {
    CAPTURE(width);
    const at::Tensor scale = on_device(2, {width}, 0.5, 1), direction = on_device(3, {5, 3, width}, 1.0);
    const auto ours = [&](const at::Tensor& x) { return ops::rms_norm(x, scale, kEps); };
    const at::Tensor dense = on_device(1, {5, 3, width}, 2.0);
    const at::Tensor strided = on_device(1, {3, 5, width}, 2.0).transpose(0, 1);
    for (const at::Tensor& x : {dense, strided}) {
      const auto [y, dx] = with_gradient(x, direction, ours);
      const auto [expected, expected_dx] =
          with_gradient(x, direction, [&](const at::Tensor& leaf) { return plain_rms_norm(leaf, scale); });
      check_close(y, expected, 1e-6);
      check_close(dx, expected_dx, 1e-5);
      check_close(ours(x), y, 0);  // with and without a recorded history
    }
  }
}

TEST_CASE("RMSNorm's backward pass is that of finite differences") {
  const at::Tensor x = spec_gen(1, {2, 24}, 2.0), scale = spec_gen(2, {24}, 0.5, 1),
                   direction = spec_gen(3, {2, 24}, 1.0);
  const auto ours = [&](const at::Tensor& value) { return ops::rms_norm(value, scale, kEps); };
  check_finite_differences(x, direction, with_gradient(x, direction, ours).second, ours);
}

TEST_CASE("RMSNorm in bfloat16 computes in float32 and rounds once, both ways") {
  const at::Tensor x = on_device(1, {5, 192}, 2.0).to(at::kBFloat16), scale = on_device(2, {192}, 0.5, 1);
  const at::Tensor direction = on_device(3, {5, 192}, 1.0).to(at::kBFloat16);
  const auto [y, dx] =
      with_gradient(x, direction, [&](const at::Tensor& leaf) { return ops::rms_norm(leaf, scale, kEps); });
  const auto [expected, expected_dx] = with_gradient(
      x.to(at::kFloat), direction.to(at::kFloat), [&](const at::Tensor& leaf) { return plain_rms_norm(leaf, scale); });
  CHECK((y.scalar_type() == at::kBFloat16));
  check_close(y.to(at::kFloat), expected, 0x1p-7);
  check_close(dx.to(at::kFloat), expected_dx, 0x1p-7);
}

TEST_CASE("the rotary embedding and its backward pass are the plain formula's") {
  const at::Tensor x = spec_gen(1, {2, 5, 3, 8}, 2.0), direction = spec_gen(3, {2, 5, 3, 8}, 1.0);
  const Tables tables = rotary_tables(5, 8);
  const auto ours = [&](const at::Tensor& value) { return ops::rotary(value, tables.cos, tables.sin); };
  const auto [y, dx] = with_gradient(x, direction, ours);
  const auto [expected, expected_dx] =
      with_gradient(x, direction, [&](const at::Tensor& leaf) { return plain_rotary(leaf, tables.cos, tables.sin); });
  check_close(y, expected, 1e-6);
  check_close(dx, expected_dx, 1e-6);
  check_finite_differences(x, direction, dx, ours);
}
