#include "nn/dropout.h"

#include <cmath>
#include <utility>

#include "base/error.h"
#include "base/rng.h"

namespace brain3d::nn {

namespace {

// The constants of MurmurHash3's finaliser, as signed numbers.
constexpr auto kFirstFactor = static_cast<std::int32_t>(0x85ebca6bU);
constexpr auto kSecondFactor = static_cast<std::int32_t>(0xc2b2ae35U);
constexpr std::uint64_t kChannelSeed = 0x6368616e6e656cULL;

std::int32_t upper_word(std::uint64_t value) { return static_cast<std::int32_t>(value >> 32); }
std::int32_t lower_word(std::uint64_t value) { return static_cast<std::int32_t>(value); }

}  // namespace

Dropout::Dropout(double probability, std::vector<std::uint64_t> seeds, at::Device device)
    : probability_(probability), seeds_(std::move(seeds)), device_(device) {}

void Dropout::draw_words(std::int64_t positions, std::int64_t channels) const {
  if (!first_words_.defined() || first_words_.size(1) != positions) {
    const auto samples = static_cast<std::int64_t>(seeds_.size());
    at::Tensor first = at::empty({samples, positions, 1}, at::kInt), second = at::empty_like(first);
    auto *upper = first.mutable_data_ptr<std::int32_t>(), *lower = second.mutable_data_ptr<std::int32_t>();
    for (const std::uint64_t seed : seeds_) {
      SplitMix64 rng(seed);  // a sample's first positions have the same words however many follow
      for (std::int64_t i = 0; i < positions; ++i) {
        const std::uint64_t word = rng.next();
        *upper++ = upper_word(word);
        *lower++ = lower_word(word);
      }
    }
    first_words_ = first.to(device_);
    second_words_ = second.to(device_);
  }
  if (channel_words_.defined() && channel_words_.size(0) == channels) return;
  at::Tensor words = at::empty({channels}, at::kInt);
  SplitMix64 rng(kChannelSeed);
  for (std::int64_t i = 0; i < channels; ++i) words.mutable_data_ptr<std::int32_t>()[i] = upper_word(rng.next());
  channel_words_ = words.to(device_);
}

at::Tensor Dropout::apply(const at::Tensor& x, std::uint64_t site) const {
  if (probability_ == 0) return x;
  const auto samples = static_cast<std::int64_t>(seeds_.size());
  const at::Tensor rows = x.dim() == 2 && samples == 1 ? x.unsqueeze(0) : x;
  B3D_CHECK(rows.dim() == 3 && rows.size(0) == samples, Shape, "expected (", samples, ", S, C) for dropout, got ",
            x.sizes());
  draw_words(rows.size(1), rows.size(2));
  const std::uint64_t place = SplitMix64(site).next();
  // A hash of (sample, site, position, channel): integers, so that every device has the same bits.
  at::Tensor words = first_words_.bitwise_xor(upper_word(place)).bitwise_xor(channel_words_);  // (B, S, C) int32
  words.mul_(kFirstFactor);
  words.bitwise_xor_(words.bitwise_right_shift(13).bitwise_and_(0x7ffff));  // a shift without the sign
  words.bitwise_xor_(second_words_.bitwise_xor(lower_word(place)));
  words.mul_(kSecondFactor);
  const auto threshold = static_cast<std::int64_t>(std::llround(probability_ * 0x1p32)) + INT32_MIN;
  const at::Tensor kept = words.ge(threshold).to(x.scalar_type()).div_(1.0 - probability_);
  return x * kept.view(x.sizes());
}

}  // namespace brain3d::nn
