// Tests of what a step promises besides its numbers.
#include <filesystem>
#include <fstream>
#include <limits>

#include "base/rng.h"
#include "io/safetensors/safetensors.h"
#include "support/paper.h"
#include "train/training_fixture.h"

using namespace brain3d;
using namespace brain3d::test;
using train::GroundingObjective;
using train::ParameterGroup;
using train::ReportObjective;

namespace {

const CancelFlag kNeverCancelled;
const train::ParameterGroups kAll = {ParameterGroup::PatchEmbedding, ParameterGroup::DepthPositions,
                                     ParameterGroup::Projector, ParameterGroup::VisScale, ParameterGroup::Lora};

std::vector<train::ReportSample> all_samples() {
  std::vector<train::ReportSample> samples;
  for (std::int64_t i = 0; i < kNumSamples; ++i) samples.push_back(report_sample(i));
  return samples;
}

train::Update update(const train::ParameterGroups& groups, double rate = 1e-3) {
  train::Update out;
  for (const ParameterGroup group : groups) out.learning_rates[group] = rate;
  out.seed = 5;
  return out;
}

train::Trainer make_trainer(const train::ParameterGroups& groups, double dropout = 0) {
  return train::Trainer(training_model(groups, groups.count(ParameterGroup::Lora) != 0), test::usual_adamw(), dropout);
}

std::string file_bytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Every tensor of the weights file and, where there is one, of the adapter's.
std::map<std::string, at::Tensor> written(const train::Trainer& trainer, bool with_adapter) {
  const TemporaryDirectory directory;
  std::map<std::string, at::Tensor> out;
  const auto add = [&](const std::string& path) {
    const io::SafetensorsFile file(path);
    for (const auto& [name, entry] : file.tensors()) out[name] = weights::view_of(file, name, entry).clone();
  };
  trainer.model().write_weights(directory.path() + "/weights.safetensors");
  add(directory.path() + "/weights.safetensors");
  if (with_adapter) {
    trainer.model().write_adapter(directory.path() + "/adapter.safetensors");
    add(directory.path() + "/adapter.safetensors");
  }
  return out;
}

/// Bytes of this process that are in memory.
std::int64_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::int64_t total = 0, resident = 0;
  file >> total >> resident;
  return resident * 4096;
}

}  // namespace

TEST_CASE("memory is flat over eight hundred steps") {
  const CachedVolumes volumes;
  const train::GroundingBatch batch = grounding_batch("grounding", volumes);
  train::Trainer trainer(training_model(kAll, true), test::usual_adamw(), 0.1);
  const std::vector<train::ReportSample> samples = {report_sample(0), report_sample(4)};
  train::GroundingOptions grounding;
  grounding.temperature = 0.07;
  grounding.micro_batch = 4;
  train::ReportOptions reports = together(2);
  const auto run = [&](int steps) {
    for (int step = 0; step < steps; ++step) {
      grounding.recompute = reports.recompute = step % 2 == 0;
      if (step % 40 == 0)
        trainer.step(GroundingObjective(batch, grounding), update(kAll), kNeverCancelled);
      else
        trainer.step(ReportObjective(samples, reports), update(kAll), kNeverCancelled);
    }
  };
  run(100);
  const std::int64_t before = resident_bytes();
  run(800);
  // A leak of a single activation (2 x 30 x 32 floats) a step would be 6 MB.
  CHECK(resident_bytes() - before < (3 << 20));
}

TEST_CASE("what trains changes, what is frozen does not in a single bit") {
  const CachedVolumes volumes;
  const train::GroundingBatch batch = grounding_batch("grounding", volumes);
  for (const ParameterGroup group : kAll) {
    CAPTURE(train::group_name(group));
    const train::ParameterGroups groups = {group};
    train::Trainer trainer(training_model(groups, true), test::usual_adamw(), 0);
    const auto before = written(trainer, true);
    const bool contrastive = group == ParameterGroup::PatchEmbedding || group == ParameterGroup::DepthPositions;
    const auto result =
        contrastive ? trainer.step(GroundingObjective(batch, {}), update(groups), kNeverCancelled)
                    : trainer.step(ReportObjective(all_samples(), together(6)), update(groups), kNeverCancelled);
    CHECK(result.grad_norm > 0);
    std::set<std::string> trained;
    for (const train::Parameter& parameter : trainer.model().parameters()) trained.insert(fixture_name(parameter.name));
    CHECK(!trained.empty());
    for (const auto& [name, tensor] : written(trainer, true)) {
      CAPTURE(name);
      CHECK(at::equal(tensor, before.at(name)) == (trained.count(name) == 0));
    }
  }
}

TEST_CASE("a group the model does not have is refused") {
  CHECK_THROWS_WITH_AS(training_model({ParameterGroup::Lora}, false), doctest::Contains("the group lora"), Error);
}

TEST_CASE("a cancelled step updates nothing") {
  const CachedVolumes volumes;
  train::Trainer trainer = make_trainer(kAll);
  const auto before = written(trainer, true);
  CancelFlag cancelled;
  cancelled.cancel();
  CHECK_THROWS_AS(trainer.step(ReportObjective(all_samples(), together(6)), update(kAll), cancelled), Error);
  CHECK_THROWS_AS(trainer.step(GroundingObjective(grounding_batch("grounding", volumes), {}), update(kAll), cancelled),
                  Error);
  for (const auto& [name, tensor] : written(trainer, true)) CHECK(at::equal(tensor, before.at(name)));
  CHECK(trainer.optimizer().num_steps() == 0);
}

TEST_CASE("a loss that is not finite is reported with its sample, and nothing is updated") {
  train::Trainer trainer = make_trainer(kAll);
  const auto before = written(trainer, true);
  auto samples = all_samples();
  samples[2].pooled = samples[2].pooled.clone().fill_(std::numeric_limits<float>::quiet_NaN());
  const auto result = trainer.step(ReportObjective(samples, together(6)), update(kAll), kNeverCancelled);
  REQUIRE(result.non_finite);
  CHECK(result.non_finite->tensor == "loss");
  CHECK(result.non_finite->samples == std::vector<std::size_t>{2});
  for (const auto& [name, tensor] : written(trainer, true)) CHECK(at::equal(tensor, before.at(name)));
}

TEST_CASE("a saved state goes on bit for bit, dropout included") {
  const TemporaryDirectory directory;
  const std::string state = directory.path() + "/state.safetensors";
  const train::ParameterGroups groups = {ParameterGroup::Projector, ParameterGroup::VisScale, ParameterGroup::Lora};
  train::Trainer whole = make_trainer(groups, 0.2);
  std::vector<double> losses;
  for (int step = 0; step < 4; ++step) {
    if (step == 2) whole.optimizer().save(state);
    losses.push_back(
        whole.step(ReportObjective(all_samples(), together(6)), update(groups), kNeverCancelled).losses.loss);
  }
  train::Trainer resumed = make_trainer(groups, 0.2);
  resumed.optimizer().load(state);
  CHECK(resumed.optimizer().num_steps() == 2);
  for (int step = 2; step < 4; ++step)
    CHECK(resumed.step(ReportObjective(all_samples(), together(6)), update(groups), kNeverCancelled).losses.loss ==
          losses[static_cast<std::size_t>(step)]);
  whole.optimizer().save(directory.path() + "/a.safetensors");
  resumed.optimizer().save(directory.path() + "/b.safetensors");
  CHECK(file_bytes(directory.path() + "/a.safetensors") == file_bytes(directory.path() + "/b.safetensors"));
}

TEST_CASE("a state of other parameters is refused and changes nothing") {
  const TemporaryDirectory directory;
  const std::string state = directory.path() + "/state.safetensors";
  make_trainer({ParameterGroup::Projector}).optimizer().save(state);
  train::Trainer trainer = make_trainer({ParameterGroup::Projector, ParameterGroup::VisScale});
  const auto before = written(trainer, false);
  CHECK_THROWS_WITH_AS(trainer.optimizer().load(state), doctest::Contains("vis_scale"), Error);
  CHECK_THROWS_WITH_AS(trainer.optimizer().load(golden_path("training/samples.safetensors")),
                       doctest::Contains("expected a trainer's state"), Error);
  for (const auto& [name, tensor] : written(trainer, false)) CHECK(at::equal(tensor, before.at(name)));
}

TEST_CASE("dropout acts in training only, and a function of the step's seed alone") {
  const train::ParameterGroups groups = {ParameterGroup::Lora};
  const auto loss = [&](double dropout, std::uint64_t seed, bool recompute) {
    train::Trainer trainer(training_model(groups, true), test::usual_adamw(), dropout);
    train::Update with_seed = update(groups);
    with_seed.seed = seed;
    train::ReportOptions options = together(6);
    options.recompute = recompute;
    const auto result = trainer.step(ReportObjective(all_samples(), options), with_seed, kNeverCancelled);
    return std::pair(result.losses.loss, result.grad_norm);
  };
  CHECK(loss(0.3, 1, false) == loss(0.3, 1, false));
  CHECK(loss(0.3, 1, false) == loss(0.3, 1, true));  // the same masks when a block is computed again
  CHECK(loss(0.3, 1, false) != loss(0.3, 2, false));
  CHECK(loss(0.3, 1, false) != loss(0.0, 1, false));
  const train::Trainer trainer(training_model(groups, true), test::usual_adamw(), 0.3);
  CHECK(trainer.loss(ReportObjective(all_samples(), together(6)), kNeverCancelled).loss ==
        doctest::Approx(loss(0.0, 1, false).first).epsilon(1e-6));
}

TEST_CASE("dropout keeps the mean and drops its share") {
  const nn::Dropout dropout(0.25, 3, test_device());
  const at::Tensor ones = at::ones({400, 500}, test_device());
  const at::Tensor dropped = dropout.apply(ones, 7);
  CHECK(dropped.eq(0).to(at::kDouble).mean().item<double>() == doctest::Approx(0.25).epsilon(0.02));
  CHECK(dropped.mean().item<double>() == doctest::Approx(1).epsilon(0.01));
  CHECK(at::equal(dropped, dropout.apply(ones, 7)));
  CHECK(!at::equal(dropped, dropout.apply(ones, 8)));
}

// Losses and weights after three steps: to the rounding of sums in another order, since products of matrices of other
// sizes add in another order. With masks by micro-batch the losses differ by 1e-2.
TEST_CASE("with dropout, micro-batches change nothing but roundings") {
  const train::ParameterGroups groups = {ParameterGroup::Projector, ParameterGroup::VisScale, ParameterGroup::Lora};
  const auto run = [&](const std::vector<std::vector<std::size_t>>& micro_batches, bool recompute) {
    train::Trainer trainer = make_trainer(groups, 0.3);
    train::ReportOptions options;
    options.logit_rows = 1024;
    options.micro_batches = micro_batches;
    options.recompute = recompute;
    std::vector<float> losses;
    for (std::uint64_t step = 0; step < 3; ++step) {
      train::Update with_seed = update(groups);
      with_seed.seed = 100 + step;
      const auto result = trainer.step(ReportObjective(all_samples(), options), with_seed, kNeverCancelled);
      losses.insert(losses.end(), result.losses.sample_losses.begin(), result.losses.sample_losses.end());
    }
    return std::pair(at::tensor(losses), written(trainer, true));
  };
  const auto [losses, weights] = run({{0, 1, 2, 3, 4, 5}}, false);
  SplitMix64 rng(9);
  for (int round = 0; round < 6; ++round) {
    // A random order cut at random places.
    std::vector<std::size_t> order = {0, 1, 2, 3, 4, 5};
    for (std::size_t i = order.size() - 1; i > 0; --i) std::swap(order[i], order[rng.next() % (i + 1)]);
    std::vector<std::vector<std::size_t>> parts;
    for (const std::size_t index : order) {
      if (parts.empty() || rng.next() % 3 == 0) parts.emplace_back();
      parts.back().push_back(index);
    }
    const auto [other_losses, other_weights] = run(parts, round % 2 == 1);
    check_close(other_losses, losses, 2e-5);
    for (const auto& [name, tensor] : other_weights) {
      CAPTURE(name);
      check_close(tensor, weights.at(name), 2e-5);
    }
  }
}

TEST_CASE("a step without a learning rate or a gradient changes nothing") {
  const TemporaryDirectory directory;
  const train::ParameterGroups groups = {ParameterGroup::Projector, ParameterGroup::VisScale, ParameterGroup::Lora};
  train::Trainer trainer = make_trainer(groups);
  trainer.step(ReportObjective(all_samples(), together(6)), update(groups), kNeverCancelled);
  const std::string before = directory.path() + "/before.safetensors", after = directory.path() + "/after.safetensors";
  trainer.optimizer().save(before);
  const auto unchanged = [&] {
    trainer.optimizer().save(after);
    CHECK(file_bytes(before) == file_bytes(after));
    CHECK(trainer.optimizer().num_steps() == 1);
  };
  for (const ParameterGroup group : groups) {
    train::Update without = update(groups);
    without.learning_rates.erase(group);
    CHECK_THROWS_WITH_AS(trainer.step(ReportObjective(all_samples(), together(6)), without, kNeverCancelled),
                         doctest::Contains(train::group_name(group)), Error);
    unchanged();
    for (const double rate : {std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()}) {
      without.learning_rates[group] = rate;
      CHECK_THROWS_AS(trainer.step(ReportObjective(all_samples(), together(6)), without, kNeverCancelled), Error);
      unchanged();
    }
  }
  // No objective gave gradients.
  CHECK_THROWS_WITH_AS(trainer.optimizer().step(update(groups).learning_rates), doctest::Contains("a gradient of"),
                       Error);
  unchanged();
}

TEST_CASE("a state of which one tensor cannot be read changes nothing") {
  const TemporaryDirectory directory;
  const std::string state = directory.path() + "/state.safetensors",
                    spoiled = directory.path() + "/spoiled.safetensors";
  const train::ParameterGroups groups = {ParameterGroup::Projector, ParameterGroup::VisScale};
  train::Trainer source = make_trainer(groups);
  source.step(ReportObjective(all_samples(), together(6)), update(groups), kNeverCancelled);
  source.optimizer().save(state);
  const io::SafetensorsFile file(state);
  std::string last;
  for (const auto& [name, entry] : file.tensors()) last = std::max(last, name);
  const auto spoil = [&](bool with_type) {
    std::vector<at::Tensor> held;
    std::vector<io::TensorToWrite> records;
    for (const auto& [name, entry] : file.tensors()) {
      held.push_back(weights::view_of(file, name, entry).clone());
      if (name == last && !with_type) held.back().fill_(std::numeric_limits<float>::quiet_NaN());
      const io::DType type = name == last && with_type ? io::DType::I32 : io::DType::F32;
      records.push_back({name, type, held.back().sizes().vec(), held.back().const_data_ptr()});
    }
    io::write_safetensors(spoiled, records, file.metadata());
  };
  train::Trainer trainer = make_trainer(groups);
  const auto before = written(trainer, false);
  for (const bool with_type : {true, false}) {
    spoil(with_type);
    CHECK_THROWS_WITH_AS(trainer.optimizer().load(spoiled), doctest::Contains(last.c_str()), Error);
    for (const auto& [name, tensor] : written(trainer, false)) CHECK(at::equal(tensor, before.at(name)));
    CHECK(trainer.optimizer().num_steps() == 0);
  }
}

TEST_CASE("a new adapter changes nothing until it is trained, and is drawn as PEFT draws") {
  const train::TrainableFiles files{golden_path("models/vision"), golden_path("models/gemma_text"),
                                    golden_path("checkpoints/paper_text/brain3d.safetensors"), "", training_recipe()};
  const weights::LoraSpec spec{4, 8, {"q_proj", "down_proj"}, 1};
  const train::ParameterGroups groups = {ParameterGroup::Lora};
  train::Trainer adapted(train::TrainableModel::load(files, groups, &spec, test_device(), at::kFloat, nullptr, {}),
                         test::usual_adamw(), 0);
  const train::Trainer base(training_model({ParameterGroup::Projector}, false), test::usual_adamw(), 0);
  CHECK(adapted.loss(ReportObjective(all_samples(), together(6)), kNeverCancelled).loss ==
        doctest::Approx(base.loss(ReportObjective(all_samples(), together(6)), kNeverCancelled).loss).epsilon(1e-6));
  CHECK(adapted.model().parameters().size() == 7 * 2 * 2);
  for (const train::Parameter& parameter : adapted.model().parameters()) {
    if (parameter.name.find("lora_A") == std::string::npos) continue;
    const double bound = 1 / std::sqrt(static_cast<double>(parameter.value.size(1)));
    CHECK(parameter.value.abs().max().item<double>() <= bound);
    CHECK(parameter.value.abs().max().item<double>() > 0.9 * bound);
  }
  const weights::LoraSpec unknown{4, 8, {"query"}, 1};
  CHECK_THROWS_WITH_AS(train::TrainableModel::load(files, groups, &unknown, test_device(), at::kFloat, nullptr, {}),
                       doctest::Contains("'query'"), Error);
}

TEST_CASE("an adapter is written as it was read") {
  const TemporaryDirectory directory;
  const train::TrainableModel model = training_model({ParameterGroup::Lora}, true);
  model.write_adapter(directory.path() + "/adapter_model.safetensors");
  const io::SafetensorsFile ours(directory.path() + "/adapter_model.safetensors");
  const io::SafetensorsFile peft(golden_path("checkpoints/paper_text/adapter/adapter_model.safetensors"));
  CHECK(ours.tensors().size() == peft.tensors().size());
  for (const auto& [name, entry] : peft.tensors()) {
    CAPTURE(name);
    REQUIRE(ours.tensors().count(name) == 1);
    CHECK(at::equal(weights::view_of(ours, name, ours.tensors().at(name)), weights::view_of(peft, name, entry)));
  }
}

TEST_CASE("a volume that cannot be read is named by its place in the batch") {
  CachedVolumes volumes;
  volumes.paths[3] = golden_path("training/samples.safetensors");
  train::Trainer trainer = make_trainer({ParameterGroup::Projector});
  try {
    trainer.step(GroundingObjective(grounding_batch("grounding", volumes), {}), update({ParameterGroup::Projector}),
                 kNeverCancelled);
    FAIL("expected an error");
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::Format);
    CHECK(error.detail().field == "volumes[3]");
  }
}

TEST_CASE("bfloat16 trains float32 leaves") {
  const train::ParameterGroups groups = {ParameterGroup::Projector, ParameterGroup::VisScale, ParameterGroup::Lora};
  train::Trainer trainer(training_model(groups, true, at::kBFloat16), test::usual_adamw(), 0);
  const double first = trainer.loss(ReportObjective(all_samples(), together(6)), kNeverCancelled).loss;
  for (int step = 0; step < 10; ++step)
    trainer.step(ReportObjective(all_samples(), together(6)), update(groups, 3e-3), kNeverCancelled);
  CHECK(trainer.loss(ReportObjective(all_samples(), together(6)), kNeverCancelled).loss < first);
  for (const train::Parameter& parameter : trainer.model().parameters())
    CHECK((parameter.value.scalar_type() == at::kFloat));
}
