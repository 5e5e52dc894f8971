// RoBERTa and BERTScore against numbers worked out by hand (deterministic weights), transformers' hidden
// states of test/golden/models/roberta, and what strict loading refuses.
#include "models/text/roberta.h"
#include "models/text/bertscore.h"
#include "support/golden.h"

using namespace brain3d;
using namespace brain3d::test;

namespace {

using Shapes = std::vector<std::pair<std::string, std::vector<std::int64_t>>>;

/// The tolerance that is stated for the worked numbers. The golden states are of order 1 to 5 and off by up to 2e-6
/// against float64; another order of summation makes errors of that size, a tanh GELU some of 5e-4.
constexpr double kTolerance = 2e-5;

const char* kSpecConfig = R"({"model_type": "roberta", "vocab_size": 40, "hidden_size": 16, "num_hidden_layers": 2,
  "num_attention_heads": 4, "intermediate_size": 24, "max_position_embeddings": 16, "type_vocab_size": 1,
  "layer_norm_eps": 1e-5})";

Shapes spec_shapes() {
  Shapes shapes{{"embeddings.word_embeddings.weight", {40, 16}},
                {"embeddings.position_embeddings.weight", {16, 16}},
                {"embeddings.token_type_embeddings.weight", {1, 16}},
                {"embeddings.LayerNorm.weight", {16}},
                {"embeddings.LayerNorm.bias", {16}}};
  for (const char* layer : {"encoder.layer.0.", "encoder.layer.1."}) {
    const std::string base = layer;
    for (const char* module :
         {"attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"}) {
      shapes.emplace_back(base + module + ".weight", std::vector<std::int64_t>{16, 16});
      shapes.emplace_back(base + module + ".bias", std::vector<std::int64_t>{16});
    }
    for (const char* norm : {"attention.output.LayerNorm", "output.LayerNorm"})
      for (const char* part : {".weight", ".bias"})
        shapes.emplace_back(base + norm + part, std::vector<std::int64_t>{16});
    shapes.emplace_back(base + "intermediate.dense.weight", std::vector<std::int64_t>{24, 16});
    shapes.emplace_back(base + "intermediate.dense.bias", std::vector<std::int64_t>{24});
    shapes.emplace_back(base + "output.dense.weight", std::vector<std::int64_t>{16, 24});
    shapes.emplace_back(base + "output.dense.bias", std::vector<std::int64_t>{16});
  }
  return shapes;
}

bool is_scale(const std::string& name) { return name.find("LayerNorm.weight") != std::string::npos; }

models::RobertaEncoder load(const std::string& dir, std::int64_t layer) {
  const auto config = models::RobertaConfig::read(dir);
  weights::WeightSource source = models::RobertaEncoder::open(dir, config);
  return models::RobertaEncoder::load(config, layer, source, at::TensorOptions());
}

models::RobertaEncoder load_spec(const Shapes& shapes, std::int64_t layer, const std::string& config = kSpecConfig) {
  const TemporaryDirectory dir;
  write_text(dir.path() + "/config.json", config);
  write_filled_model(dir.path(), shapes, is_scale);
  return load(dir.path(), layer);
}

at::Tensor forward(const models::RobertaEncoder& encoder, const std::vector<std::int64_t>& ids) {
  const at::Tensor row = at::tensor(ids).unsqueeze(0);
  return encoder.forward(row, at::ones(row.sizes(), at::kBool), nullptr)[0];
}

at::Tensor golden_mask(const at::Tensor& ids) {
  const at::Tensor lengths = golden_tensor("roberta/hidden.safetensors", "lengths");
  return at::arange(ids.size(1)).unsqueeze(0) < lengths.unsqueeze(1);
}

void check_refused(const Shapes& shapes, const std::string& config, ErrorCode code, const std::string& part) {
  try {
    load_spec(shapes, 2, config);
    FAIL("loaded");
  } catch (const Error& error) {
    CHECK(error.code() == code);
    CHECK_MESSAGE(std::string(error.what()).find(part) != std::string::npos, error.what());
  }
}

std::string with_field(const std::string& field) { return std::string(kSpecConfig).insert(1, field + ", "); }

}  // namespace

TEST_CASE("roberta: the worked numbers") {
  CHECK(spec_shapes().size() == 37);
  const at::Tensor hidden = forward(load_spec(spec_shapes(), 2), {0, 9, 8, 7, 2});
  check_close(hidden[1].narrow(0, 0, 8),
              {-1.650882, 0.161305, -1.014329, 1.417508, -1.794087, -1.113184, -0.4561, 0.537983}, kTolerance);
}

TEST_CASE("roberta: every hidden state of a padded batch is transformers'") {
  const at::Tensor ids = golden_tensor("roberta/hidden.safetensors", "input_ids");
  const at::Tensor mask = golden_mask(ids);
  for (std::int64_t layer = 0; layer <= 3; ++layer) {
    CAPTURE(layer);
    const models::RobertaEncoder encoder = load(golden_path("models/roberta"), layer);
    CHECK(encoder.layer() == layer);
    const at::Tensor hidden = encoder.forward(ids, mask, nullptr);
    const at::Tensor expected = golden_tensor("roberta/hidden.safetensors", "hidden." + std::to_string(layer));
    check_close(hidden.index({mask}), expected.index({mask}), kTolerance);
  }
}

TEST_CASE("roberta: padding changes nothing") {
  const models::RobertaEncoder encoder = load(golden_path("models/roberta"), 3);
  const at::Tensor ids = golden_tensor("roberta/hidden.safetensors", "input_ids");
  const at::Tensor mask = golden_mask(ids);
  const at::Tensor together = encoder.forward(ids, mask, nullptr);
  for (std::int64_t row = 0; row < ids.size(0); ++row) {
    const auto length = mask[row].sum().item<std::int64_t>();
    const at::Tensor alone = encoder.forward(ids.narrow(0, row, 1).narrow(1, 0, length),
                                             mask.narrow(0, row, 1).narrow(1, 0, length), nullptr);
    check_close(together[row].narrow(0, 0, length), alone[0], kTolerance);
  }
}

TEST_CASE("roberta: names with the prefix of a model with a head, and tensors of heads") {
  Shapes shapes;
  for (const auto& [name, shape] : spec_shapes()) shapes.emplace_back("roberta." + name, shape);
  shapes.emplace_back("lm_head.dense.weight", std::vector<std::int64_t>{16, 16});
  shapes.emplace_back("roberta.pooler.dense.bias", std::vector<std::int64_t>{16});
  shapes.emplace_back("roberta.embeddings.position_ids", std::vector<std::int64_t>{1, 16});
  CHECK(load_spec(shapes, 1).layer() == 1);
}

TEST_CASE("roberta: weights that do not fit are named") {
  Shapes missing = spec_shapes();
  missing.erase(missing.begin());
  // Above the wanted layer, too: half a model is not the model.
  std::erase_if(missing, [](const auto& item) { return item.first == "encoder.layer.1.output.dense.bias"; });
  check_refused(missing, kSpecConfig, ErrorCode::Weights,
                "text encoder do not fit its configuration; 2 missing: embeddings.word_embeddings.weight, "
                "encoder.layer.1.output.dense.bias");
  Shapes more = spec_shapes();
  more.emplace_back("encoder.layer.2.output.dense.bias", std::vector<std::int64_t>{16});
  check_refused(more, kSpecConfig, ErrorCode::Weights, "1 unexpected: encoder.layer.2.output.dense.bias");
  Shapes twice = spec_shapes();
  twice.emplace_back("roberta.embeddings.LayerNorm.bias", std::vector<std::int64_t>{16});
  check_refused(twice, kSpecConfig, ErrorCode::Weights, "a second name for embeddings.LayerNorm.bias");
  Shapes other = spec_shapes();
  other[1].second = {18, 16};
  check_refused(other, kSpecConfig, ErrorCode::Weights,
                "embeddings.position_embeddings.weight expected [16, 16], got [18, 16]");
}

TEST_CASE("roberta: configurations of another architecture are refused by the field") {
  const Shapes shapes = spec_shapes();
  check_refused(shapes, R"({"model_type": "bert"})", ErrorCode::Config,
                "expected roberta for 'model_type', got \"bert\"");
  check_refused(shapes, with_field(R"("hidden_act": "gelu_new")"), ErrorCode::Config, "expected gelu for 'hidden_act'");
  check_refused(shapes, with_field(R"("position_embedding_type": "relative_key")"), ErrorCode::Config,
                "expected absolute for 'position_embedding_type'");
  check_refused(shapes, with_field(R"("is_decoder": true)"), ErrorCode::Config, "'is_decoder'");
  check_refused(shapes, with_field(R"("pad_token_id": 40)"), ErrorCode::Config, "from 0 to 39 for 'pad_token_id'");
  CHECK_THROWS_WITH_AS(load_spec(shapes, 3), "expected a layer from 0 (embeddings) to 2, got 3", Error);
}

TEST_CASE("roberta: texts the encoder cannot take, and cancelling") {
  const models::RobertaEncoder encoder = load_spec(spec_shapes(), 2);
  CancelFlag cancel;
  const auto score = [&](const std::vector<models::TokenIds>& texts, const std::vector<models::TextPair>& pairs) {
    return models::bert_scores(encoder, texts, pairs, 2, cancel);
  };
  CHECK_THROWS_WITH_AS(score({{}}, {{0, 0}}), "expected 1 to 14 tokens in a text, got 0", Error);
  CHECK_THROWS_WITH_AS(score({models::TokenIds(15, 5)}, {{0, 0}}), "expected 1 to 14 tokens in a text, got 15", Error);
  CHECK_THROWS_WITH_AS(score({{0, 40, 2}}, {{0, 0}}), "expected token ids below 40, got 40", Error);
  CHECK_THROWS_WITH_AS(score({{0, 5, 2}}, {{0, 1}}), "expected indices of 1 texts, got 1", Error);
  CHECK(score({{0, 5, 2}}, {{0, 0}})[0].f1 == doctest::Approx(1.0).epsilon(1e-6));
  cancel.cancel();
  CHECK_THROWS_AS(score({{0, 5, 2}}, {{0, 0}}), Error);
}

TEST_CASE("roberta: greedy matching, the worked example") {
  const auto unit = [](const at::Tensor& rows) { return rows / rows.norm(2, -1, true); };
  const at::Tensor hypothesis =
      unit(at::tensor({1.f, 0.f, 0.f, 1.f, 1.f, 0.f, 0.f, 0.f, 1.f, 0.f, 1.f, 1.f}).view({4, 3}));
  const at::Tensor reference = unit(at::tensor({1.f, 0.f, .2f, 0.f, 1.f, 0.f, 0.f, 0.f, 1.f}).view({3, 3}));
  const at::Tensor hypothesis_weights = at::tensor({0., 1., 1., 0.}), reference_weights = at::tensor({0., 1., 0.});
  const auto score = models::greedy_match(hypothesis, reference, hypothesis_weights, reference_weights);
  check_close(at::tensor({score.precision, score.recall, score.f1}), {0.85355341, 0.70710677, 0.77345914}, 1e-7);
  const auto nothing = models::greedy_match(hypothesis, reference, at::zeros({4}, at::kDouble), reference_weights);
  CHECK(nothing.precision == 0);
  CHECK(nothing.recall == 0);
  CHECK(nothing.f1 == 0);
}

TEST_CASE("roberta: pairs over many rounds of batches, with texts that come back") {
  const models::RobertaEncoder encoder = load(golden_path("models/roberta"), 2);
  std::vector<models::TokenIds> texts;
  for (std::int64_t text = 0; text < 12; ++text) {
    models::TokenIds ids{0};
    for (std::int64_t i = 0; i <= text * 3; ++i) ids.push_back(5 + (text * 31 + i * 17) % 370);
    ids.push_back(2);
    texts.push_back(ids);
  }
  std::vector<models::TextPair> pairs;
  for (std::size_t i = 0; i < 40; ++i) pairs.emplace_back(i * 7 % 12, i % 5);
  const CancelFlag cancel;
  const auto one_by_one = models::bert_scores(encoder, texts, pairs, 1, cancel);  // five rounds
  const auto at_once = models::bert_scores(encoder, texts, pairs, 64, cancel);
  REQUIRE(one_by_one.size() == 40);
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    CHECK(one_by_one[i].f1 == doctest::Approx(at_once[i].f1).epsilon(1e-6));
    const auto alone =
        models::bert_scores(encoder, {texts[pairs[i].first], texts[pairs[i].second]}, {{0, 1}}, 1, cancel);
    CHECK(one_by_one[i].f1 == doctest::Approx(alone[0].f1).epsilon(1e-6));
  }
}
