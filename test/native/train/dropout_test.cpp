// Masks are functions of sample, site, position and channel, look random over each of them, and are the same
// everywhere.
#include "nn/dropout.h"

#include <cmath>

#include "base/error.h"
#include "support/golden.h"

using namespace brain3d;
using namespace brain3d::test;

TEST_CASE("masks are independent between samples, sites, positions and channels, each with its share") {
  const std::int64_t samples = 3, positions = 40, channels = 2560;
  const nn::Dropout dropout(0.3, {11, 12, 13}, test_device());
  const at::Tensor ones = at::ones({samples, positions, channels}, test_device());
  std::vector<at::Tensor> masks;
  for (const std::uint64_t site : {0, 1, 2}) {
    const at::Tensor dropped = dropout.apply(ones, site).eq(0).to(at::kDouble);
    for (std::int64_t sample = 0; sample < samples; ++sample) masks.push_back(dropped[sample]);
  }
  // The share of 102,400 draws is 0.3 within five standard deviations; that of a row or a column within six.
  const auto within = [](const at::Tensor& shares, double count, double deviations) {
    CHECK((shares - 0.3).abs().max().item<double>() < deviations * std::sqrt(0.21 / count));
  };
  for (std::size_t i = 0; i < masks.size(); ++i) {
    within(masks[i].mean(), static_cast<double>(positions * channels), 5);
    within(masks[i].mean(0), static_cast<double>(positions), 6);
    within(masks[i].mean(1), static_cast<double>(channels), 6);
    const auto correlation = [](const at::Tensor& a, const at::Tensor& b) {
      return ((a - 0.3) * (b - 0.3)).mean().item<double>() / 0.21;
    };
    const double limit = 5 / std::sqrt(static_cast<double>(positions * channels));
    for (std::size_t j = 0; j < i; ++j) CHECK(std::abs(correlation(masks[i], masks[j])) < limit);
    for (const std::int64_t shift : {1, 2, 8, 64}) {
      CHECK(std::abs(correlation(masks[i], masks[i].roll(shift, 1))) < limit);
      CHECK(std::abs(correlation(masks[i], masks[i].roll(shift % positions, 0))) < limit);
    }
  }
}

TEST_CASE("a sample's mask is the same bits whatever it is computed and padded with") {
  const std::vector<std::uint64_t> seeds = {5, 6, 7, 8};
  const at::Tensor x = spec_gen(1, {4, 9, 32}).to(test_device());
  const at::Tensor together = nn::Dropout(0.4, seeds, test_device()).apply(x, 3);
  for (std::int64_t i = 0; i < 4; ++i) {
    const std::uint64_t seed = seeds[static_cast<std::size_t>(i)];
    CHECK(at::equal(together[i], nn::Dropout(0.4, seed, test_device()).apply(x[i], 3)));
    const at::Tensor padded = at::constant_pad_nd(x[i], {0, 0, 0, 6}, 1.0);
    CHECK(at::equal(together[i], nn::Dropout(0.4, seed, test_device()).apply(padded, 3).narrow(0, 0, 9)));
    CHECK(at::equal(together[i].to(at::kCPU), nn::Dropout(0.4, seed, at::kCPU).apply(x[i].to(at::kCPU), 3)));
  }
  CHECK_THROWS_AS(nn::Dropout(0.4, seeds, test_device()).apply(x[0], 3), Error);
}
