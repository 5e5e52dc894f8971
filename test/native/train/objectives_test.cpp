// The hand-written losses: the worked numbers, the reference's, and finite differences.
#include <c10/core/CPUAllocator.h>

#include <limits>

#include "nn/head.h"
#include "train/contrastive.h"
#include "train/training_fixture.h"

using namespace brain3d;
using namespace brain3d::test;

namespace {

at::Tensor unit_rows(const at::Tensor& rows) { return rows / rows.norm(2, 1, true); }

/// Central differences of `loss` at x in float64 terms: float32 rounding of the loss leaves about 1e-3 of the gradient.
template <typename Loss>
void check_finite_differences(const at::Tensor& x, const at::Tensor& gradient, Loss loss) {
  constexpr float kStep = 1e-2F;
  const double scale = gradient.abs().max().item<double>();
  CHECK(scale > 0);
  at::Tensor moved = x.clone();
  auto* values = moved.mutable_data_ptr<float>();
  for (std::int64_t i = 0; i < x.numel(); ++i) {
    const float original = values[i];
    values[i] = original + kStep;
    const double above = loss(moved);
    values[i] = original - kStep;
    const double below = loss(moved);
    values[i] = original;
    const double difference = (above - below) / (2 * static_cast<double>(kStep));
    CHECK(difference / scale == doctest::Approx(gradient.flatten()[i].item<double>() / scale).epsilon(5e-3));
  }
}

/// Stands in for LibTorch's CPU allocator while alive, and knows how many bytes were held at the peak.
class AllocatedBytes final : public c10::Allocator {
 public:
  AllocatedBytes() : inner_(c10::GetCPUAllocator()) { c10::SetCPUAllocator(this, kPriority); }
  ~AllocatedBytes() override { c10::SetCPUAllocator(inner_, kPriority); }
  AllocatedBytes(const AllocatedBytes&) = delete;

  c10::DataPtr allocate(std::size_t bytes) override {
    auto* block = new Block{inner_->allocate(bytes), this, static_cast<std::int64_t>(bytes)};
    held_ += block->bytes;
    peak = std::max(peak, held_);
    return {block->data.get(), block, release, block->data.device()};
  }
  void copy_data(void* to, const void* from, std::size_t bytes) const override { default_copy_data(to, from, bytes); }

  std::int64_t peak = 0;

 private:
  struct Block {
    c10::DataPtr data;
    AllocatedBytes* owner;
    std::int64_t bytes;
  };
  static void release(void* context) {
    const std::unique_ptr<Block> block(static_cast<Block*>(context));
    block->owner->held_ -= block->bytes;
  }
  static constexpr std::uint8_t kPriority = 100;

  c10::Allocator* inner_;
  std::int64_t held_ = 0;
};

}  // namespace

TEST_CASE("the contrastive loss has the worked value") {
  const at::Tensor visual = at::tensor({1.0F, 0.0F, 0.0F, 0.0F, 1.0F, 0.0F, 0.6F, 0.8F, 0.0F}).view({3, 3});
  const at::Tensor text = unit_rows(at::tensor({1.0F, 0.1F, 0.0F, 0.0F, 1.0F, 0.2F, 1.0F, 1.0F, 0.0F}).view({3, 3}));
  const auto result = train::contrastive_loss(visual, text, {0, 1, 2}, 0.07);
  CHECK(result.loss.item<double>() == doctest::Approx(0.0337759).epsilon(1e-5));
}

TEST_CASE("the contrastive gradient is that of finite differences, equal reports included") {
  const at::Tensor visual = unit_rows(spec_gen(1, {5, 4})), text = unit_rows(spec_gen(2, {5, 4}));
  for (const std::vector<std::int64_t>& ids : {std::vector<std::int64_t>{0, 1, 2, 3, 4}, {0, 1, 0, 2, 0}}) {
    const at::Tensor texts = text.index_select(0, at::tensor(ids, at::kLong));
    const auto result = train::contrastive_loss(visual, texts, ids, 0.5);
    check_finite_differences(visual, result.gradient, [&](const at::Tensor& moved) {
      return train::contrastive_loss(moved, texts, ids, 0.5).loss.item<double>();
    });
  }
}

TEST_CASE("equal reports are not each other's negatives") {
  // Three volumes with one report, each exactly where its report is, and another far off: nothing is left to gain.
  const at::Tensor report = unit_rows(at::tensor({1.0F, 0.0F}).view({1, 2})), other = -report;
  const at::Tensor texts = at::cat({report, report, report, other});
  const auto grouped = train::contrastive_loss(texts, texts, {0, 0, 0, 1}, 0.07);
  CHECK(grouped.loss.item<double>() < 1e-6);
  CHECK(grouped.gradient.abs().max().item<double>() < 1e-6);
  // One volume that is off is drawn to its report with its whole weight, and the two others are not pushed away.
  const at::Tensor off = unit_rows(at::tensor({0.0F, 1.0F}).view({1, 2}));
  const at::Tensor volumes = at::cat({off, report, report, other});
  const auto masked = train::contrastive_loss(volumes, texts, {0, 0, 0, 1}, 0.5);
  const auto hard = train::contrastive_loss(volumes, texts, {0, 2, 3, 1}, 0.5);
  // The others' gradient along their report: attraction as without the third, repulsion with hard targets.
  CHECK(masked.gradient[1][0].item<double>() < 0);
  CHECK(hard.gradient[1][0].item<double>() > 0);
}

TEST_CASE("a contrastive batch of one is refused") {
  const at::Tensor row = unit_rows(spec_gen(1, {1, 4}));
  CHECK_THROWS_WITH_AS(train::contrastive_loss(row, row, {0}, 0.07), doctest::Contains("at least 2 samples"), Error);
}

TEST_CASE("a contrastive batch whose rows have one report is refused, and a temperature that no loss survives") {
  const at::Tensor rows = unit_rows(spec_gen(1, {3, 4}));
  CHECK_THROWS_WITH_AS(train::contrastive_loss(rows, rows, {7, 7, 7}, 0.07), doctest::Contains("2 different reports"),
                       Error);
  CHECK_THROWS_WITH_AS(train::contrastive_loss(rows, rows, {0, 1}, 0.07), doctest::Contains("a text id for each"),
                       Error);
  const double inf = std::numeric_limits<double>::infinity();
  for (const double temperature : {0.0, -1.0, 1e-300, 1e-39, 1e-5, 1e5, 1e39, 1e300, inf, inf - inf})
    CHECK_THROWS_WITH_AS(train::contrastive_loss(rows, rows, {0, 1, 2}, temperature), doctest::Contains("temperature"),
                         Error);
  for (const double temperature : {train::kMinTemperature, 0.07, train::kMaxTemperature}) {
    const auto result = train::contrastive_loss(rows, rows, {0, 1, 1}, temperature);
    CHECK(result.loss.isfinite().item<bool>());
    CHECK(result.gradient.isfinite().all().item<bool>());
  }
}

TEST_CASE("linear cross-entropy has the reference's losses and gradients in chunks of any size") {
  const std::string file = "linear_cross_entropy";
  const at::Tensor hidden = training_tensor(file, "hidden"), labels = training_tensor(file, "labels");
  const at::Tensor weights = at::full({37}, 1.0F / 37, at::kFloat);
  for (const std::int64_t rows : {1, 10, 37, 1000}) {
    const auto loss = nn::linear_cross_entropy(hidden, training_tensor(file, "weight"), labels, weights, rows, true);
    check_close(loss.nlls, training_tensor(file, "losses"), 1e-5);
    check_close(loss.gradient * 37, training_tensor(file, "grad_hidden") * 37, 1e-5);
  }
  const auto loss = nn::linear_cross_entropy(hidden, training_tensor(file, "weight"), labels, weights, 16, false);
  CHECK(!loss.gradient.defined());
}

TEST_CASE("linear cross-entropy's gradient is that of finite differences") {
  const at::Tensor hidden = spec_gen(3, {4, 6}, 1.0), weight = spec_gen(4, {9, 6}, 1.0);
  const at::Tensor labels = at::tensor({0, 8, 3, 3}, at::kLong), weights = at::tensor({0.1F, 0.4F, 0.2F, 0.3F});
  const auto loss = [&](const at::Tensor& moved) {
    return (nn::linear_cross_entropy(moved, weight, labels, weights, 3, false).nlls * weights).sum().item<double>();
  };
  check_finite_differences(hidden, nn::linear_cross_entropy(hidden, weight, labels, weights, 3, true).gradient, loss);
}

TEST_CASE("linear cross-entropy survives logits whose exponential overflows") {
  const at::Tensor hidden = spec_gen(5, {3, 4}, 1.0) * 1e4, weight = spec_gen(6, {5, 4}, 1.0);
  const at::Tensor labels = at::tensor({1, 2, 3}, at::kLong), weights = at::ones({3});
  CHECK(nn::linear_cross_entropy(hidden, weight, labels, weights, 2, true).gradient.isfinite().all().item<bool>());
}

TEST_CASE("linear cross-entropy holds the logits of one chunk, however many rows there are") {
  // 512 rows of 50,000 logits would be 102 MB; a chunk of 16 rows is 3.2 MB.
  constexpr std::int64_t kRows = 512, kVocabulary = 50'000, kChunk = 16;
  const at::Tensor hidden = at::rand({kRows, 8}), weight = at::rand({kVocabulary, 8});
  const at::Tensor labels = at::arange(kRows), weights = at::ones({kRows});
  AllocatedBytes allocated;
  nn::linear_cross_entropy(hidden, weight, labels, weights, kChunk, true);
  constexpr std::int64_t kChunkBytes = kChunk * kVocabulary * 4;
  CHECK(allocated.peak >= kChunkBytes);
  CHECK(allocated.peak < 2 * kChunkBytes);
}
