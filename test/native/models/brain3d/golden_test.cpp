// Fixtures of tools/reference/brain3d_outputs.py: transformers 5.18 and peft 0.21 in float32 on shrunken random models,
// read through the production loader. Vision and projector agree to 1e-5 and logits to 1e-4 relative: float32 sums of
// a few hundred terms in another order.
#include "support/golden.h"
#include "generate/decode_loop.h"
#include "generate/reports.h"
#include "models/baselines/gemma3_multimodal.h"
#include "models/brain3d/brain3d_model.h"
#include "models/brain3d/checkpoint_weights.h"
#include "models/brain3d/inflate.h"
#include "models/brain3d/token_compression.h"
#include "support/paper.h"

using namespace brain3d;
using namespace brain3d::test;

namespace {

struct Case {
  const char* checkpoint;
  const char* language;
  bool is_peer;
};

constexpr Case kCases[] = {{"paper_text", "gemma_text", false},
                           {"paper_cond", "gemma_cond", false},
                           {"peer_text", "gemma_text", true},
                           {"peer_cond", "gemma_cond", true}};

models::Recipe small_recipe(bool is_peer) {
  models::Recipe recipe = test::paper_recipe();
  recipe.channel_collapse = is_peer ? models::ChannelCollapse::Mean : models::ChannelCollapse::Sum;
  recipe.position = is_peer ? models::PositionScheme::Linear : models::PositionScheme::LearnedDepthPretrainedSpatial;
  recipe.num_visual_tokens = 8;
  recipe.compression_grid = {2, 2, 2};
  recipe.volume_size = {8, 42, 56};
  return recipe;
}

models::Brain3DModel load(const Case& item, const std::string& adapter, bool merge, at::ScalarType dtype = at::kFloat) {
  models::ModelFiles files;
  files.vision_dir = golden_path("models/vision");
  files.language_dir = golden_path(std::string("models/") + item.language);
  files.weights_file = golden_path(std::string("checkpoints/") + item.checkpoint + "/brain3d.safetensors");
  if (!adapter.empty()) files.adapter_dir = golden_path("checkpoints/" + adapter + "/adapter");
  files.merge_adapter = merge;
  files.recipe = small_recipe(item.is_peer);
  return models::Brain3DModel::load(files, test_device(), dtype, nullptr, {});
}

at::Tensor expected(const Case& item, const std::string& name) {
  return golden_tensor(std::string("brain3d/") + item.checkpoint + ".safetensors", name);
}

std::vector<std::int64_t> input_ids(const char* name) {
  const at::Tensor ids = golden_tensor("brain3d/inputs.safetensors", name);
  return {ids.const_data_ptr<std::int64_t>(), ids.const_data_ptr<std::int64_t>() + ids.numel()};
}

at::Tensor input_volume() { return golden_tensor("brain3d/inputs.safetensors", "volume"); }

generate::SamplingOptions greedy_options(bool penalised) {
  generate::SamplingOptions options = test::paper_sampling();
  options.greedy = true;
  options.max_new_tokens = 64;
  options.min_new_tokens = penalised ? 10 : 0;
  options.repetition_penalty = penalised ? 1.2 : 1.0;
  options.no_repeat_ngram_size = penalised ? 3 : 0;
  return options;
}

/// Rows padded with 0 to 64, as transformers pads finished rows.
at::Tensor padded_tokens(const generate::Generation& generation) {
  at::Tensor out = at::zeros({static_cast<std::int64_t>(generation.sequences.size()), 64}, at::kLong);
  for (std::size_t row = 0; row < generation.sequences.size(); ++row) {
    const auto& ids = generation.sequences[row].token_ids;
    for (std::size_t i = 0; i < ids.size(); ++i)
      out[static_cast<std::int64_t>(row)][static_cast<std::int64_t>(i)] = ids[i];
  }
  return out;
}

generate::Generation decode(const models::Brain3DModel& model, const at::Tensor& visual, bool penalised,
                            const generate::StepPlan& plan = {}) {
  const CancelFlag never;
  return generate::generate(model.language(), model.soft_prompt(visual, input_ids("prompt_ids")),
                            greedy_options(penalised), plan, never, {});
}

void check_language(const Case& item, const models::Brain3DModel& model, const at::Tensor& visual,
                    const std::string& kind) {
  const auto prompt = input_ids("prompt_ids");
  const at::Tensor inputs = model.soft_prompt(visual, prompt);
  models::DecoderState state = model.language().make_state(2, inputs.size(1));
  const at::Tensor hidden =
      model.language().forward(inputs, model.language().first_step(state, inputs.size(1)), state, nullptr);
  const at::Tensor logits = model.language().logits(hidden);
  check_close(logits.select(1, inputs.size(1) - 1), expected(item, kind + ".logits"), 1e-4);
  check_close(logits.narrow(0, 0, 1), expected(item, kind + ".all_logits"), 1e-4);
  check_close(model.token_nlls(visual.narrow(0, 0, 1), prompt, input_ids("score_ids"), nullptr),
              expected(item, kind + ".score_nlls"), 1e-4);
  CHECK(padded_tokens(decode(model, visual, true)).equal(expected(item, kind + ".greedy_tokens")));
  CHECK(padded_tokens(decode(model, visual, false)).equal(expected(item, kind + ".greedy_plain")));
}

}  // namespace

TEST_CASE("encoder, projector, logits and greedy tokens equal transformers, both recipes and Gemma 3 layouts") {
  const c10::InferenceMode inference;
  for (const Case& item : kCases) {
    CAPTURE(item.checkpoint);
    const models::Brain3DModel model = load(item, "", true);
    const models::Encoding encoding = model.encode(input_volume(), nullptr);
    check_close(encoding.patch_tokens, expected(item, "patch_tokens"), 1e-5);
    check_close(encoding.pooled_tokens, expected(item, "pooled_tokens"), 1e-5);
    check_close(encoding.visual_tokens, expected(item, "visual_tokens"), 1e-5);
    check_language(item, model, encoding.visual_tokens, "base");
  }
}

// The options are ones that float32 holds; that the scores are not, is known only when they are there.
TEST_CASE("decoding stops with an error where the scores overflow, however the steps are issued") {
  const c10::InferenceMode inference;
  const Case& item = kCases[0];
  const models::Brain3DModel model = load(item, "", true);
  const at::Tensor inputs = model.soft_prompt(expected(item, "visual_tokens"), input_ids("prompt_ids"));
  const CancelFlag never;
  const auto decode_with = [&](double temperature, double penalty, bool greedy) {
    generate::SamplingOptions options = test::paper_sampling();
    options.greedy = greedy;
    options.temperature = temperature;
    options.repetition_penalty = penalty;
    options.no_repeat_ngram_size = 0;
    options.max_new_tokens = 8;
    options.eos_token_ids = {};
    for (const bool capture : {false, true}) {
      const auto plan = generate::StepPlan::for_device(model.device(), capture);
      generate::generate(model.language(), inputs, options, plan, never, {});
    }
  };
  for (const auto& [temperature, penalty, greedy] :
       {std::tuple(1.2e-38, 1.0, false), {1.0, 1.2e-38, false}, {1.0, 1.2e-38, true}, {1e-25, 1e-25, false}})
    CHECK_THROWS_WITH_AS(decode_with(temperature, penalty, greedy), doctest::Contains("scores that overflow float32"),
                         Error);
  CHECK_NOTHROW(decode_with(1e-30, 1.0, false));
}

TEST_CASE("grid compression keeps the patch grid's order") {
  const c10::InferenceMode inference;
  models::Recipe recipe = small_recipe(false);
  recipe.compression = models::Compression::Grid;
  const at::Tensor tokens = expected(kCases[0], "patch_tokens").to(test_device());
  check_close(models::compress_tokens(tokens, recipe, {9, 3, 4}), expected(kCases[0], "pooled_grid"), 1e-6);
}

TEST_CASE("the slice-wise baseline averages what the 2D model of transformers makes of every plane") {
  const c10::InferenceMode inference;
  models::Recipe recipe = small_recipe(false);
  recipe.position = models::PositionScheme::PretrainedSpatial;
  recipe.attention = models::Attention::Slice;
  recipe.depth_kernel = 1;
  recipe.depth_padding = 0;
  const std::string dir = golden_path("models/vision");
  const auto config = models::SiglipConfig::read(dir);
  weights::WeightSource source = models::open_vision_backbone(dir, config);
  const auto options = at::TensorOptions().device(test_device()).dtype(at::kFloat);
  models::SiglipEncoder encoder = models::SiglipEncoder::load(config, source, options);
  const auto embeddings = models::SiglipEmbeddings::load(source, options);
  const models::VisionEncoder3d vision(
      std::move(encoder), recipe,
      models::inflate_patch_embedding(embeddings.patch_weight, recipe.channel_collapse, recipe.depth_kernel),
      embeddings.patch_bias, {}, embeddings.position_table);
  CHECK(vision.token_grid() == models::PatchGrid{1, 3, 4});
  const at::Tensor tokens = vision.forward(input_volume(), nullptr);
  check_close(tokens, golden_tensor("brain3d/slices.safetensors", "patch_tokens"), 1e-5);
  check_close(models::compress_tokens(tokens, recipe, vision.token_grid()),
              golden_tensor("brain3d/slices.safetensors", "pooled_tokens"), 1e-5);
}

TEST_CASE("a patch embedding drawn at random has the bounds of torch.nn.Conv3d and leaves the projector as it was") {
  const models::Recipe recipe = small_recipe(false);
  const std::string dir = golden_path("models/vision");
  const auto config = models::SiglipConfig::read(dir);
  const auto sizes = models::checkpoint_sizes(config, 32, recipe);
  const auto make = [&](models::PatchEmbeddingStart start, std::uint64_t seed) {
    return models::CheckpointWeights::initialise(dir, config, sizes, recipe, start, seed);
  };
  const auto inflated = make(models::PatchEmbeddingStart::Inflated, 3);
  const auto random = make(models::PatchEmbeddingStart::Random, 3);
  CHECK(random.projector.fc2.weight.dense().equal(inflated.projector.fc2.weight.dense()));
  CHECK(random.patch_weight.equal(make(models::PatchEmbeddingStart::Random, 3).patch_weight));
  CHECK_FALSE(random.patch_weight.equal(make(models::PatchEmbeddingStart::Random, 4).patch_weight));
  // U(-a, a): a = 1 / sqrt(fan_in), deviation a / sqrt(3); of 9,408 draws to 2 %.
  const double bound = 1.0 / std::sqrt(2.0 * 14 * 14);
  CHECK(random.patch_weight.sizes() == inflated.patch_weight.sizes());
  CHECK(random.patch_weight.abs().max().item<double>() <= bound);
  CHECK(random.patch_bias.abs().max().item<double>() <= bound);
  CHECK(random.patch_weight.std().item<double>() == doctest::Approx(bound / std::sqrt(3.0)).epsilon(0.02));
}

TEST_CASE("a PEFT adapter gives the logits and tokens of peft, merged and beside the weights") {
  const c10::InferenceMode inference;
  for (const Case& item : kCases) {
    for (const bool merge : {true, false}) {
      CAPTURE(item.checkpoint);
      CAPTURE(merge);
      const models::Brain3DModel model = load(item, item.checkpoint, merge);
      CHECK(model.num_adapter_parameters() > 0);
      check_language(item, model, model.encode(input_volume(), nullptr).visual_tokens, "adapter");
    }
  }
}

TEST_CASE("adapters of a vision tower are left out with a warning") {
  const c10::InferenceMode inference;
  const models::Brain3DModel model = load(kCases[3], "peer_cond_vision_keys", true);
  REQUIRE(model.warnings().size() == 1);
  CHECK(model.warnings()[0].find("12 tensors of a 2D vision tower") != std::string::npos);
  check_language(kCases[3], model, model.encode(input_volume(), nullptr).visual_tokens, "adapter");
}

TEST_CASE("a batch decodes the tokens of its volumes one by one") {
  const c10::InferenceMode inference;
  const models::Brain3DModel model = load(kCases[0], "", true);
  const CancelFlag never;
  const at::Tensor volumes = input_volume();
  const auto prompt = input_ids("prompt_ids");
  const auto both =
      generate::generate_reports(model, {volumes[0][0], volumes[1][0]}, prompt, greedy_options(true), {}, never, {});
  for (const std::int64_t row : {0, 1}) {
    const auto alone =
        generate::generate_reports(model, {volumes[row][0]}, prompt, greedy_options(true), {}, never, {});
    CHECK(alone.generation.sequences[0].token_ids ==
          both.generation.sequences[static_cast<std::size_t>(row)].token_ids);
  }
}

TEST_CASE("reading the cache in masked buckets, captured or not, gives the same tokens") {
  const c10::InferenceMode inference;
  for (const Case& item : {kCases[0], kCases[3]}) {
    const models::Brain3DModel model = load(item, "", true);
    const at::Tensor visual = model.encode(input_volume(), nullptr).visual_tokens;
    for (const std::int64_t bucket : {7, 64, 512})
      for (const bool capture : {false, true})  // on the CPU nothing is captured
        CHECK(
            padded_tokens(decode(model, visual, true, {bucket, capture})).equal(expected(item, "base.greedy_tokens")));
  }
}

TEST_CASE("the conditional-generation form with an image equals transformers") {
  const c10::InferenceMode inference;
  const auto model = models::Gemma3Multimodal::load(golden_path("models/gemma_cond"),
                                                    at::TensorOptions().device(test_device()).dtype(at::kFloat));
  const std::string file = "multimodal.safetensors";
  const at::Tensor pixels = golden_tensor(file, "pixel_values").to(test_device());
  check_close(model.image_features(pixels), golden_tensor(file, "image_features"), 1e-5);
  check_close(model.logits(golden_tensor(file, "input_ids")[0].to(test_device()), pixels),
              golden_tensor(file, "logits"), 1e-4);
}

TEST_CASE("bfloat16 stays within the error of its own rounding") {
  // Tolerance: 2^-8 relative per rounding, about sixty roundings deep, on logits of order 1 to 10.
  const c10::InferenceMode inference;
  const models::Brain3DModel model = load(kCases[0], "", true, at::kBFloat16);
  const at::Tensor visual = model.encode(input_volume(), nullptr).visual_tokens;
  check_close(visual.to(at::kFloat), expected(kCases[0], "visual_tokens"), 0.05);
}

TEST_CASE("cancelling ends encode and decode") {
  const c10::InferenceMode inference;
  const models::Brain3DModel model = load(kCases[0], "", true);
  CancelFlag cancelled;
  cancelled.cancel();
  CHECK_THROWS_WITH_AS(model.encode(input_volume(), &cancelled), doctest::Contains("cancelled"), Error);

  CancelFlag later;
  int num_steps = 0;
  const auto stop_at_third = [&](const std::vector<std::int64_t>&) {
    if (++num_steps == 3) later.cancel();
  };
  CHECK_THROWS_AS(generate::generate_reports(model, {input_volume()[0][0]}, input_ids("prompt_ids"),
                                             greedy_options(true), {}, later, stop_at_third),
                  Error);
  CHECK(num_steps == 3);
}
