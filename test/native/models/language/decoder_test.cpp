// The decoder with each of its layers' optional parts and without, over random weights: which tensors it expects, and
// that a sequence decoded position by position is the one computed at once. Families are in tests of their own names.
#include "models/language/decoder.h"

#include "base/error.h"
#include "support/golden.h"

using namespace brain3d;
using namespace brain3d::models;
using namespace brain3d::test;

namespace {

struct Parts {
  bool qk_norms, post_norms, qkv_bias, window, tied;
};

DecoderSpec make_spec(const Parts& parts) {
  DecoderSpec spec;
  spec.vocab_size = 23;
  spec.hidden_size = 12;
  spec.intermediate_size = 20;
  spec.num_attention_heads = 4;
  spec.num_key_value_heads = 2;
  spec.head_dim = 6;
  spec.max_position_embeddings = 64;
  spec.kinds = {{1e4, 1.0, 0}, {1e3, 2.0, parts.window ? 4 : 0}};
  spec.layer_kinds = {0, 1, 0};
  spec.norms = {"first", parts.post_norms ? "second" : "", "third", parts.post_norms ? "fourth" : ""};
  spec.norm_offset = 1.0;
  spec.has_qk_norms = parts.qk_norms;
  spec.has_qkv_bias = parts.qkv_bias;
  spec.activation = parts.qk_norms ? nn::Activation::GeluTanh : nn::Activation::Silu;
  spec.attention_scale = 0.4;
  spec.embedding_scale = parts.tied ? 3.0 : 1.0;
  spec.tie_word_embeddings = parts.tied;
  return spec;
}

std::vector<Parts> all_parts() {
  std::vector<Parts> out;
  for (int bits = 0; bits < 32; ++bits)
    out.push_back({(bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0, (bits & 8) != 0, (bits & 16) != 0});
  return out;
}

/// A directory of random weights for `spec`.
Decoder load(const DecoderSpec& spec) {
  weights::ExpectedTensors expected;
  Decoder::expect(spec, expected);
  const TemporaryDirectory dir;
  write_filled_model(dir.path(), {expected.begin(), expected.end()}, [](const std::string&) { return false; });
  weights::WeightSource source = Decoder::open_backbone(dir.path(), spec);
  return Decoder::load(spec, source, at::TensorOptions().device(test_device()).dtype(at::kFloat), nullptr, true);
}

}  // namespace

TEST_CASE("a decoder expects the tensors of the parts that its layers have, and counts them") {
  const c10::InferenceMode inference;
  for (const Parts& parts : all_parts()) {
    const DecoderSpec spec = make_spec(parts);
    weights::ExpectedTensors expected;
    Decoder::expect(spec, expected);
    CHECK((expected.count("text.layers.2.second.weight") == 1) == parts.post_norms);
    CHECK((expected.count("text.layers.2.self_attn.k_norm.weight") == 1) == parts.qk_norms);
    CHECK((expected.count("text.layers.2.self_attn.v_proj.bias") == 1) == parts.qkv_bias);
    CHECK((expected.count("lm_head.weight") == 1) == !parts.tied);
    CHECK(expected.count("text.layers.2.self_attn.o_proj.bias") == 0);
    std::int64_t total = 0;
    for (const auto& [name, shape] : expected) total += c10::multiply_integers(shape);
    const Decoder model = load(spec);
    CHECK(model.num_parameters() == total);
    CHECK(model.weight_bytes() == 4 * total);
  }
}

TEST_CASE("a sequence decoded position by position is the one computed at once, whatever parts the layers have") {
  const c10::InferenceMode inference;
  const at::Tensor ids = at::tensor({3, 1, 4, 1, 5, 9, 2, 6, 5, 22}, at::kLong).to(test_device());
  for (const Parts& parts : all_parts()) {
    CAPTURE(parts.qk_norms);
    CAPTURE(parts.post_norms);
    CAPTURE(parts.qkv_bias);
    CAPTURE(parts.window);
    const Decoder model = load(make_spec(parts));
    const at::Tensor embeds = model.embed(ids).unsqueeze(0).expand({2, -1, -1});  // (2, S, M)
    const at::Tensor whole = model.forward_sequence(embeds, nullptr);
    CHECK(whole.isfinite().all().item<bool>());
    for (const auto extent : {Decoder::Extent::Exact, Decoder::Extent::Bound}) {
      DecoderState state = model.make_state(2, 16);
      std::vector<at::Tensor> rows = {
          model.forward(embeds.narrow(1, 0, 3), model.first_step(state, 3), state, nullptr)};
      for (std::int64_t at = 3; at < ids.size(0); ++at) {
        const at::Tensor position = at::full({1}, at, ids.options());
        const std::int64_t length = extent == Decoder::Extent::Exact ? at + 1 : 16;
        const DecoderStep step = model.make_step(state, position, length, extent);
        rows.push_back(model.forward(embeds.narrow(1, at, 1), step, state, nullptr));
      }
      check_close(at::cat(rows, 1), whole, 2e-5);
    }
  }
}

TEST_CASE("each optional part changes what a decoder computes") {
  const c10::InferenceMode inference;
  const Parts none{false, false, false, false, false};
  const at::Tensor ids = at::arange(1, 11).to(test_device());
  const auto hidden = [&](const Parts& parts) {
    const Decoder model = load(make_spec(parts));
    return model.forward_sequence(model.embed(ids).unsqueeze(0), nullptr);
  };
  const at::Tensor plain = hidden(none);
  for (bool Parts::*part : {&Parts::qk_norms, &Parts::post_norms, &Parts::qkv_bias, &Parts::window, &Parts::tied}) {
    Parts with = none;
    with.*part = true;
    CHECK((hidden(with) - plain).abs().max().item<double>() > 1e-3);
  }
}

TEST_CASE("a decoder refuses a sequence beyond its positions, and names that are another part's") {
  const c10::InferenceMode inference;
  DecoderSpec spec = make_spec({});
  const Decoder model = load(spec);
  CHECK_THROWS_WITH_AS(model.make_state(1, 65), doctest::Contains("exceeds the language model's 64"), Error);
  weights::ExpectedTensors expected;
  Decoder::expect(spec, expected);
  expected["vision.head.weight"] = {2};
  const TemporaryDirectory dir;
  write_filled_model(dir.path(), {expected.begin(), expected.end()}, [](const std::string&) { return false; });
  CHECK_THROWS_WITH_AS(Decoder::open_backbone(dir.path(), spec), doctest::Contains("1 unexpected: vision.head.weight"),
                       Error);
  spec.unused_tensors = {"vision."};
  CHECK_NOTHROW(Decoder::open_backbone(dir.path(), spec));
}
