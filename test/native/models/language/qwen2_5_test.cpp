// Fixtures of tools/reference/qwen.py: transformers 5.18 and peft 0.21 in float32 on shrunken random Qwen 2.5 models,
// read through the production loader behind the golden SigLIP and checkpoint. Tolerances as in the tests of Gemma 3:
// models/brain3d/golden_test.cpp and train/training_golden_test.cpp.
#include "models/language/qwen2_5.h"

#include "generate/decode_loop.h"
#include "support/paper.h"
#include "train/training_fixture.h"

using namespace brain3d;
using namespace brain3d::test;
using train::ParameterGroup;

namespace {

const CancelFlag kNeverCancelled;

std::string language_dir(const std::string& name) { return golden_path("models/" + name); }
std::string weights_file() { return golden_path("checkpoints/paper_text/brain3d.safetensors"); }
std::string adapter_dir() { return golden_path("qwen/adapter"); }

at::Tensor expected(const std::string& model, const std::string& name) {
  return golden_tensor("qwen/" + model + ".safetensors", name);
}

std::vector<std::int64_t> input_ids(const char* name) {
  const at::Tensor ids = golden_tensor("brain3d/inputs.safetensors", name);
  return {ids.const_data_ptr<std::int64_t>(), ids.const_data_ptr<std::int64_t>() + ids.numel()};
}

models::Brain3DModel load(const std::string& name, const std::string& adapter = "", bool merge = true,
                          at::ScalarType dtype = at::kFloat) {
  const models::ModelFiles files{
      golden_path("models/vision"), language_dir(name), weights_file(), adapter, merge, training_recipe()};
  return models::Brain3DModel::load(files, test_device(), dtype, nullptr, {});
}

at::Tensor visual_tokens() {
  return golden_tensor("brain3d/paper_text.safetensors", "visual_tokens").to(test_device());
}

/// (2, 64), greedy.
at::Tensor decode(const models::Brain3DModel& model, bool penalised, const generate::StepPlan& plan = {}) {
  generate::SamplingOptions options = test::paper_sampling();
  options.greedy = true;
  options.max_new_tokens = 64;
  options.min_new_tokens = penalised ? 10 : 0;
  options.repetition_penalty = penalised ? 1.2 : 1.0;
  options.no_repeat_ngram_size = penalised ? 3 : 0;
  const at::Tensor inputs = model.soft_prompt(visual_tokens(), input_ids("prompt_ids"));
  const auto generation = generate::generate(model.language(), inputs, options, plan, kNeverCancelled, {});
  std::vector<at::Tensor> rows;
  for (const generate::Sequence& sequence : generation.sequences) {
    const at::Tensor ids = at::tensor(sequence.token_ids, at::kLong);
    rows.push_back(at::constant_pad_nd(ids, {0, 64 - ids.size(0)}));
  }
  return at::stack(rows);
}

void check_language(const std::string& name, const models::Brain3DModel& model, const std::string& kind) {
  const auto prompt = input_ids("prompt_ids");
  const at::Tensor inputs = model.soft_prompt(visual_tokens(), prompt);
  const at::Tensor logits = model.language().logits(model.language().forward_sequence(inputs, nullptr));
  check_close(logits.select(1, inputs.size(1) - 1), expected(name, kind + ".logits"), 1e-4);
  check_close(logits.narrow(0, 0, 1), expected(name, kind + ".all_logits"), 1e-4);
  check_close(model.token_nlls(visual_tokens().narrow(0, 0, 1), prompt, input_ids("score_ids"), nullptr),
              expected(name, kind + ".score_nlls"), 1e-4);
  CHECK(decode(model, true).equal(expected(name, kind + ".greedy_tokens")));
  CHECK(decode(model, false).equal(expected(name, kind + ".greedy_plain")));
}

const train::ParameterGroups kLora = {ParameterGroup::Projector, ParameterGroup::VisScale, ParameterGroup::Lora};

train::TrainableModel trainable() {
  const train::TrainableFiles files{golden_path("models/vision"), language_dir("qwen"), weights_file(), adapter_dir(),
                                    training_recipe()};
  return train::TrainableModel::load(files, kLora, nullptr, test_device(), at::kFloat, nullptr, {});
}

at::Tensor of_training(const std::string& name) { return golden_tensor("qwen/lora_sft.safetensors", name); }

std::vector<train::ReportSample> samples(std::int64_t step) {
  std::vector<train::ReportSample> out;
  const at::Tensor order = of_training("order")[step];
  for (std::int64_t i = 0; i < order.size(0); ++i) out.push_back(report_sample(order[i].item<std::int64_t>()));
  return out;
}

}  // namespace

TEST_CASE("Qwen 2.5 has the logits and 64 greedy tokens of transformers, from shards and from one file") {
  const c10::InferenceMode inference;
  // A head of its own and a window that is off; a tied head, a window and scaled positions.
  for (const char* name : {"qwen", "qwen_tied"}) {
    CAPTURE(name);
    const models::Brain3DModel model = load(name);
    check_language(name, model, "base");
    CHECK(model.language().spec().tie_word_embeddings == (std::string(name) == "qwen_tied"));
  }
}

TEST_CASE("Qwen 2.5 reads its cache in masked buckets, captured or not, for the same tokens") {
  const c10::InferenceMode inference;
  for (const char* name : {"qwen", "qwen_tied"}) {
    const models::Brain3DModel model = load(name);
    for (const std::int64_t bucket : {7, 256})
      for (const bool capture : {false, true})  // on the CPU nothing is captured
        CHECK(decode(model, true, {bucket, capture}).equal(expected(name, "base.greedy_tokens")));
  }
}

TEST_CASE("Qwen 2.5 with a PEFT adapter has the logits and tokens of peft, merged and beside the weights") {
  const c10::InferenceMode inference;
  for (const bool merge : {true, false}) {
    CAPTURE(merge);
    const models::Brain3DModel model = load("qwen", adapter_dir(), merge);
    CHECK(model.num_adapter_parameters() > 0);
    check_language("qwen", model, "adapter");
  }
}

TEST_CASE("Qwen 2.5 in bfloat16 stays within the error of its own rounding") {
  const c10::InferenceMode inference;
  const models::Brain3DModel model = load("qwen", "", true, at::kBFloat16);
  const at::Tensor inputs = model.soft_prompt(visual_tokens().to(at::kBFloat16), input_ids("prompt_ids"));
  const at::Tensor logits = model.language().logits(model.language().forward_sequence(inputs, nullptr));
  const at::Tensor wanted = expected("qwen", "base.all_logits");
  const at::Tensor error = (logits.narrow(0, 0, 1).cpu() - wanted).abs();
  // Eight bits of mantissa through three layers: a few percent of the logits' spread.
  CHECK(error.mean().item<double>() < 0.05 * wanted.std().item<double>());
}

TEST_CASE("phase 2B over Qwen 2.5 trains as the reference: losses, gradients and weights of ten steps") {
  for (const bool recompute : {false, true}) {
    CAPTURE(recompute);
    train::ReportOptions options = together(4);
    options.recompute = recompute;
    const train::TrainableModel fresh = trainable();
    const auto first = train::report_objective(fresh, samples(0), options, {}, train::Pass::Gradients, kNeverCancelled);
    for (std::size_t i = 0; i < first.sample_losses.size(); ++i)
      CHECK(first.sample_losses[i] ==
            doctest::Approx(of_training("sample_losses")[static_cast<std::int64_t>(i)].item<double>()).epsilon(1e-5));
    for (const train::Parameter& parameter : fresh.parameters()) {
      CAPTURE(parameter.name);
      const at::Tensor wanted = of_training("grad." + fixture_name(parameter.name));
      const double scale = std::max(1e-12, wanted.abs().max().item<double>());
      check_close(parameter.value.grad() / scale, wanted / scale, test_device().is_cpu() ? 2e-5 : 5e-5);
    }

    train::AdamWOptions adamw = test::usual_adamw();
    adamw.weight_decay = of_training("weight_decay").item<double>();
    train::Trainer trainer(trainable(), adamw, 0);
    for (std::int64_t step = 0; step < 10; ++step) {
      train::Update update;
      for (const ParameterGroup group : kLora)
        update.learning_rates[group] =
            of_training(std::string("learning_rates.") + train::group_name(group))[step].item<double>();
      update.max_grad_norm = of_training("max_grad_norm").item<double>();
      const auto result = trainer.report_step(samples(step), options, update, kNeverCancelled);
      CHECK(result.objective.loss == doctest::Approx(of_training("losses")[step].item<double>()).epsilon(1e-5));
    }
    for (const train::Parameter& parameter : trainer.model().parameters()) {
      CAPTURE(parameter.name);
      check_close(parameter.value.detach(), of_training("final." + fixture_name(parameter.name)), 1e-5);
    }
  }
}
