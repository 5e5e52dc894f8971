#include "nn/rotary_table.h"

namespace brain3d::nn {

RotaryTable RotaryTable::make(std::int64_t max_length, std::int64_t head_dim, double theta, double factor,
                              at::TensorOptions options) {
  const auto float32 = at::TensorOptions().dtype(at::kFloat);
  const at::Tensor exponents = at::arange(0, head_dim, 2, float32) / static_cast<double>(head_dim);
  const at::Tensor inverse = at::pow(theta, exponents).reciprocal() / factor;  // (Dh / 2)
  const at::Tensor angles = at::outer(at::arange(0, max_length, float32), inverse);
  const at::Tensor both = at::cat({angles, angles}, 1);  // (max_length, Dh)
  return {both.cos().to(options), both.sin().to(options)};
}

}  // namespace brain3d::nn
