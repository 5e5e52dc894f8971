// A weight and the head over it, against the plain matrix that they hold.
#include "nn/head.h"
#include "nn/linear.h"
#include "support/golden.h"

using namespace brain3d;
using namespace brain3d::test;

TEST_CASE("a weight multiplies, looks up and passes gradients back as its matrix does") {
  const at::Tensor values = spec_gen(1, {7, 5}), bias = spec_gen(2, {7});
  const nn::Weight weight = values;
  const at::Tensor x = spec_gen(3, {2, 3, 5}, 1), gradient = spec_gen(4, {6, 7}, 1);
  check_close(weight.linear(x), at::matmul(x, values.t()), 1e-6);
  check_close(weight.linear(x, bias), at::matmul(x, values.t()) + bias, 1e-6);
  const at::Tensor ids = at::tensor({6, 0, 6}, at::kLong);
  CHECK(weight.rows(ids).equal(values.index_select(0, ids)));
  const at::Tensor out = at::empty({6, 5});
  weight.backward_into(gradient, out);
  check_close(out, at::mm(gradient, values), 1e-6);
}

TEST_CASE("a weight counts its numbers and bytes, and keeps no copy") {
  const at::Tensor values = spec_gen(1, {7, 5});
  const nn::Weight weight = values, same = weight, other = values.clone();
  CHECK(weight.dense().is_same(values));
  CHECK(weight.shares_storage_with(same));
  CHECK_FALSE(weight.shares_storage_with(other));
  CHECK(weight.numel() == 35);
  CHECK(weight.bytes() == 140);
  CHECK(weight.to(at::kBFloat16).bytes() == 70);
  CHECK(weight.out_features() == 7);
  CHECK(weight.in_features() == 5);
  CHECK_FALSE(nn::Weight().defined());
}

TEST_CASE("a gradient reaches a weight that trains, through another dtype too") {
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    const at::Tensor leaf = spec_gen(1, {4, 3}).requires_grad_(true);
    const at::Tensor x = spec_gen(2, {2, 3}, 1).to(dtype);
    const nn::Linear linear = nn::Linear{leaf, at::zeros({4}), {}}.to(dtype);
    linear.forward(x).to(at::kFloat).sum().backward();
    check_close(leaf.grad(), x.to(at::kFloat).sum(0, true).expand({4, 3}), dtype == at::kFloat ? 1e-6 : 0x1p-7);
  }
}

TEST_CASE("the head's losses are those of its logits, in chunks of any size") {
  const nn::Weight head = spec_gen(1, {11, 5}, 1);
  const at::Tensor hidden = spec_gen(2, {6, 5}, 1), labels = at::tensor({0, 10, 3, 3, 7, 1}, at::kLong);
  const at::Tensor log_probs = nn::head_logits(hidden, head).log_softmax(-1);
  const at::Tensor expected = -log_probs.gather(1, labels.unsqueeze(1)).squeeze(1);
  for (const std::int64_t rows : {1, 4, 6, 100})
    check_close(nn::linear_cross_entropy(hidden, head, labels, {}, rows, false).nlls, expected, 1e-6);
  const at::Tensor of_bfloat16 = nn::head_logits(hidden.to(at::kBFloat16), head.to(at::kBFloat16));
  CHECK(of_bfloat16.dtype() == at::kFloat);
}
