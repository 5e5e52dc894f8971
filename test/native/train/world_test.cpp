// Several processes compute together what one computes alone. The processes are threads here, each with a model
// of its own; how real ones exchange tensors is not what is tested.
#include <condition_variable>
#include <mutex>
#include <thread>

#include "support/paper.h"
#include "train/training_fixture.h"

using namespace brain3d;
using namespace brain3d::test;
using train::ParameterGroup;

namespace {

const CancelFlag kNeverCancelled;
const train::ParameterGroups kAll = {ParameterGroup::PatchEmbedding, ParameterGroup::DepthPositions,
                                     ParameterGroup::Projector, ParameterGroup::VisScale, ParameterGroup::Lora};

/// The place at which threads meet: each gives a list of tensors and takes those of all.
class Meeting {
 public:
  explicit Meeting(std::size_t size) : given_(size) {}

  std::vector<std::vector<at::Tensor>> exchange(std::size_t rank, std::vector<at::Tensor> tensors) {
    std::unique_lock lock(mutex_);
    given_[rank] = std::move(tensors);
    const std::size_t round = round_;
    if (++arrived_ == given_.size()) {
      arrived_ = 0;
      taken_ = given_;
      ++round_;
      all_arrived_.notify_all();
    }
    all_arrived_.wait(lock, [&] { return round_ != round; });
    return taken_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable all_arrived_;
  std::vector<std::vector<at::Tensor>> given_, taken_;
  std::size_t arrived_ = 0, round_ = 0;
};

class ThreadWorld final : public train::World {
 public:
  ThreadWorld(Meeting& meeting, std::int64_t rank, std::int64_t size) : meeting_(meeting), rank_(rank), size_(size) {}
  std::int64_t rank() const override { return rank_; }
  std::int64_t size() const override { return size_; }

  void all_reduce(const std::vector<at::Tensor>& tensors) const override {
    std::vector<at::Tensor> copies;
    for (const at::Tensor& tensor : tensors) copies.push_back(tensor.clone());
    const auto all = meeting_.exchange(static_cast<std::size_t>(rank_), copies);
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      at::Tensor sum = all[0][i].clone();
      for (std::size_t r = 1; r < all.size(); ++r) sum += all[r][i];
      tensors[i].copy_(sum);
    }
  }

  at::Tensor all_gather(const at::Tensor& rows) const override {
    std::vector<at::Tensor> all;
    for (const auto& given : meeting_.exchange(static_cast<std::size_t>(rank_), {rows.clone()}))
      all.push_back(given[0]);
    return at::cat(all);
  }

 private:
  Meeting& meeting_;
  std::int64_t rank_, size_;
};

struct Outcome {
  std::vector<double> losses;
  std::vector<std::vector<float>> sample_losses;
  std::vector<at::Tensor> parameters;
};

train::Update update(std::uint64_t seed) {
  train::Update out;
  for (const ParameterGroup group : kAll) out.learning_rates[group] = 1e-3;
  out.max_grad_norm = 1;
  out.seed = seed;
  return out;
}

/// Two steps of each objective, in micro-batches of two samples.
Outcome train_in(std::shared_ptr<const train::World> world, const CachedVolumes& volumes) {
  train::Trainer trainer(training_model(kAll, true), test::usual_adamw(), 0.1, std::move(world));
  train::GroundingOptions grounding;
  grounding.temperature = 0.07;
  grounding.micro_batch = 2;
  train::ReportOptions reports;
  reports.logit_rows = 1024;
  reports.micro_batches = {{0, 3}, {5, 1}, {2, 4}};
  std::vector<train::ReportSample> samples;
  for (std::int64_t i = 0; i < kNumSamples; ++i) samples.push_back(report_sample(i));
  const train::GroundingObjective contrastive(grounding_batch("grounding", volumes), grounding);
  const train::ReportObjective report(samples, reports);
  Outcome out;
  for (std::uint64_t step = 0; step < 2; ++step)
    for (const train::Objective* objective :
         {static_cast<const train::Objective*>(&contrastive), static_cast<const train::Objective*>(&report)}) {
      const train::StepResult result = trainer.step(*objective, update(step), kNeverCancelled);
      out.losses.push_back(result.losses.loss);
      out.sample_losses.push_back(result.losses.sample_losses);
    }
  for (const train::Parameter& parameter : trainer.model().parameters())
    out.parameters.push_back(parameter.value.detach().clone());
  return out;
}

}  // namespace

TEST_CASE("two and three processes train what one trains") {
  const CachedVolumes volumes;
  const Outcome alone = train_in(std::make_shared<train::SingleProcess>(), volumes);
  for (const std::int64_t size : {2, 3}) {
    CAPTURE(size);
    Meeting meeting(static_cast<std::size_t>(size));
    std::vector<Outcome> outcomes(static_cast<std::size_t>(size));
    std::vector<std::thread> processes;
    for (std::int64_t rank = 0; rank < size; ++rank)
      processes.emplace_back([&, rank] {
        outcomes[static_cast<std::size_t>(rank)] =
            train_in(std::make_shared<ThreadWorld>(meeting, rank, size), volumes);
      });
    for (std::thread& process : processes) process.join();
    for (const Outcome& outcome : outcomes) {
      // The first losses see the same weights; later ones those of sums that were added up in another order.
      CHECK(outcome.sample_losses[0] == alone.sample_losses[0]);
      for (std::size_t i = 0; i < alone.losses.size(); ++i)
        CHECK(outcome.losses[i] == doctest::Approx(alone.losses[i]).epsilon(1e-6));
      CHECK(outcome.losses == outcomes[0].losses);
      for (std::size_t i = 0; i < alone.parameters.size(); ++i) {
        // AdamW divides by the gradient's size, so that roundings of small gradients move weights by more (up to 2e-6
        // here).
        check_close(outcome.parameters[i], alone.parameters[i], 1e-5);
        CHECK(at::equal(outcome.parameters[i], outcomes[0].parameters[i]));
      }
    }
  }
}

TEST_CASE("the shares of processes are a partition in order") {
  for (const std::int64_t size : {1, 2, 3, 7})
    for (const std::size_t count : {std::size_t{0}, std::size_t{1}, std::size_t{5}, std::size_t{21}}) {
      Meeting meeting(static_cast<std::size_t>(size));
      std::size_t next = 0, shortest = count, longest = 0;
      for (std::int64_t rank = 0; rank < size; ++rank) {
        const auto [begin, end] = ThreadWorld(meeting, rank, size).share(count);
        CHECK(begin == next);
        next = end;
        shortest = std::min(shortest, end - begin);
        longest = std::max(longest, end - begin);
      }
      CHECK(next == count);
      CHECK(longest - shortest <= 1);
    }
}
