// SigLIP, Gemma 3 and the inflated encoder against numbers that were worked out apart from this code. Weights come from
// a deterministic generator (support/golden.h: spec_u) through the production loader; the tolerance is 2e-5.
#include "generate/decode_loop.h"
#include "models/baselines/gemma3_multimodal.h"
#include "models/brain3d/inflate.h"
#include "models/brain3d/projector.h"
#include "models/brain3d/token_compression.h"
#include "models/brain3d/vision_encoder3d.h"
#include "models/language/decoder.h"
#include "nn/rotary_table.h"
#include "ops/attention.h"
#include "ops/gated_activation.h"
#include "ops/heads.h"
#include "ops/rms_norm.h"
#include "support/golden.h"
#include "support/paper.h"
#include "weights/tensor_names.h"

using namespace brain3d;
using namespace brain3d::test;

namespace {

using Shapes = std::vector<std::pair<std::string, std::vector<std::int64_t>>>;

constexpr double kTolerance = 2e-5;

const char* kVisionConfig = R"({"hidden_size": 12, "intermediate_size": 20, "num_hidden_layers": 2,
  "num_attention_heads": 3, "image_size": 28, "patch_size": 7, "vision_use_head": false})";

Shapes vision_shapes(const std::string& prefix) {
  Shapes shapes{{prefix + "embeddings.patch_embedding.weight", {12, 3, 7, 7}},
                {prefix + "embeddings.patch_embedding.bias", {12}},
                {prefix + "embeddings.position_embedding.weight", {16, 12}},
                {prefix + "post_layernorm.weight", {12}},
                {prefix + "post_layernorm.bias", {12}}};
  for (const char* layer : {"encoder.layers.0.", "encoder.layers.1."}) {
    const std::string base = prefix + layer;
    for (const char* norm : {"layer_norm1", "layer_norm2"})
      for (const char* part : {".weight", ".bias"})
        shapes.emplace_back(base + norm + part, std::vector<std::int64_t>{12});
    for (const char* proj : {"q_proj", "k_proj", "v_proj", "out_proj"}) {
      shapes.emplace_back(base + "self_attn." + proj + ".weight", std::vector<std::int64_t>{12, 12});
      shapes.emplace_back(base + "self_attn." + proj + ".bias", std::vector<std::int64_t>{12});
    }
    shapes.emplace_back(base + "mlp.fc1.weight", std::vector<std::int64_t>{20, 12});
    shapes.emplace_back(base + "mlp.fc1.bias", std::vector<std::int64_t>{20});
    shapes.emplace_back(base + "mlp.fc2.weight", std::vector<std::int64_t>{12, 20});
    shapes.emplace_back(base + "mlp.fc2.bias", std::vector<std::int64_t>{12});
  }
  return shapes;
}

Shapes text_shapes(const std::string& prefix) {
  Shapes shapes{{prefix + "embed_tokens.weight", {32, 16}}, {prefix + "norm.weight", {16}}};
  for (int layer = 0; layer < 7; ++layer) {
    const std::string base = prefix + "layers." + std::to_string(layer) + ".";
    for (const char* norm :
         {"input_layernorm", "post_attention_layernorm", "pre_feedforward_layernorm", "post_feedforward_layernorm"})
      shapes.emplace_back(base + norm + ".weight", std::vector<std::int64_t>{16});
    const Shapes linear{{"self_attn.q_proj", {32, 16}}, {"self_attn.k_proj", {16, 16}}, {"self_attn.v_proj", {16, 16}},
                        {"self_attn.o_proj", {16, 32}}, {"self_attn.q_norm", {8}},      {"self_attn.k_norm", {8}},
                        {"mlp.gate_proj", {24, 16}},    {"mlp.up_proj", {24, 16}},      {"mlp.down_proj", {16, 24}}};
    for (const auto& [name, shape] : linear) shapes.emplace_back(base + name + ".weight", shape);
  }
  return shapes;
}

const char* kTextFields = R"("vocab_size": 32, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 7,
  "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8, "sliding_window": 4, "query_pre_attn_scalar": 8,
  "rope_theta": 1000000.0, "rope_local_base_freq": 10000.0, "rope_scaling": {"rope_type": "linear", "factor": 8.0})";

bool is_layer_norm_weight(const std::string& name) {
  const bool vision = name.find("language_model") == std::string::npos;
  return vision && (name.find("layer_norm1.weight") != std::string::npos ||
                    name.find("layer_norm2.weight") != std::string::npos ||
                    name.find("post_layernorm.weight") != std::string::npos);
}

bool no_scale(const std::string&) { return false; }

struct Vision {
  TemporaryDirectory dir;
  models::SiglipConfig config;
  models::SiglipEncoder encoder;
  models::SiglipEmbeddings embeddings;

  Vision() {
    write_text(dir.path() + "/config.json",
               std::string(R"({"model_type": "siglip", "vision_config": )") + kVisionConfig + "}");
    write_filled_model(dir.path(), vision_shapes(""), is_layer_norm_weight);
    config = models::SiglipConfig::read(dir.path());
    weights::WeightSource source = models::open_vision_backbone(dir.path(), config);
    encoder = models::SiglipEncoder::load(config, source, at::kFloat);
    embeddings = models::SiglipEmbeddings::load(source, at::kFloat);
  }

  at::Tensor forward2d(const at::Tensor& pixels) const { return encoder.forward(embeddings.forward(pixels), nullptr); }
};

struct Text {
  TemporaryDirectory dir;
  models::Decoder model;

  Text() : model(load()) {}

  models::Decoder load() {
    write_text(dir.path() + "/config.json", std::string(R"({"model_type": "gemma3_text", )") + kTextFields + "}");
    write_filled_model(dir.path(), text_shapes("model."), no_scale);
    const auto spec = models::read_decoder_spec(dir.path());
    weights::WeightSource source = models::Decoder::open_backbone(dir.path(), spec);
    return models::Decoder::load(spec, source, at::kFloat, nullptr, true);
  }

  at::Tensor hidden(const at::Tensor& inputs) const {
    models::DecoderState state = model.make_state(inputs.size(0), inputs.size(1));
    return model.forward(inputs, model.first_step(state, inputs.size(1)), state, nullptr);
  }

  at::Tensor embed(std::vector<std::int64_t> ids) const { return model.embed(at::tensor(ids, at::kLong)).unsqueeze(0); }
};

std::vector<std::int64_t> greedy(const Text& text, const at::Tensor& inputs, double penalty, std::int64_t ngram) {
  generate::SamplingOptions options = test::paper_sampling();
  options.greedy = true;
  options.max_new_tokens = 8;
  options.repetition_penalty = penalty;
  options.no_repeat_ngram_size = ngram;
  const CancelFlag never;
  return generate::generate(text.model, inputs, options, {}, never, {}).sequences[0].token_ids;
}

}  // namespace

TEST_CASE("the deterministic generator gives the worked numbers") {
  CHECK(spec_u(0, 0) == 0.5357768535614014);
  CHECK(spec_u(5, 2) == 0.18107599020004272);
  check_close(spec_gen(0, {4}), {0.014311, -0.105323, -0.103741, -0.069665}, 1e-6);
}

TEST_CASE("SigLIP 2D tower, with and without interpolated positions") {
  const Vision vision;
  const at::Tensor tokens = vision.forward2d(spec_gen(901, {1, 3, 28, 28}, 1));
  check_close(tokens[0][0],
              {-1.285896, -0.959377, 1.482286, 0.552169, -0.043591, 1.154187, 0.684041, -1.073092, 0.962685, -1.25152,
               0.708024, -0.504602},
              kTolerance);
  check_close(tokens[0][15].narrow(0, 0, 4), {-0.954844, -1.517586, -0.366432, -0.01357}, kTolerance);
  const at::Tensor small = vision.forward2d(spec_gen(902, {1, 3, 14, 21}, 1));
  check_close(small[0][5].narrow(0, 0, 4), {0.347036, -0.191849, 0.598092, 1.114899}, kTolerance);
}

TEST_CASE("3D encoder, compression, projector and gate, both recipes (eq. 1 to 4)") {
  at::Tensor volume = at::empty({1, 1, 4, 14, 21}, at::kFloat);
  for (std::int64_t i = 0; i < volume.numel(); ++i)
    volume.mutable_data_ptr<float>()[i] = static_cast<float>(spec_u(904, static_cast<std::uint32_t>(i)));
  models::Projector projector;
  projector.fc1 = {spec_gen(910, {16, 12}), spec_gen(911, {16}), {}};
  projector.fc2 = {spec_gen(912, {16, 16}), spec_gen(913, {16}), {}};
  projector.vis_scale = at::scalar_tensor(0.5, at::kFloat);

  const auto run = [&](models::ChannelCollapse collapse, models::PositionScheme scheme) {
    Vision vision;
    models::Recipe recipe = test::paper_recipe();
    recipe.channel_collapse = collapse;
    recipe.position = scheme;
    recipe.num_visual_tokens = 4;
    recipe.volume_size = {4, 14, 21};
    const models::VisionEncoder3d encoder(
        vision.encoder, recipe, models::inflate_patch_embedding(vision.embeddings.patch_weight, collapse, 2),
        vision.embeddings.patch_bias, spec_gen(903, {5, 12}), vision.embeddings.position_table);
    CHECK(encoder.token_grid() == models::PatchGrid{5, 2, 3});
    const at::Tensor tokens = encoder.forward(volume, nullptr);
    const at::Tensor pooled = models::compress_tokens(tokens, recipe, encoder.token_grid());
    return std::vector<at::Tensor>{tokens[0][0].narrow(0, 0, 6), tokens[0][29].narrow(0, 0, 6),
                                   pooled[0][3].narrow(0, 0, 6), projector.forward(pooled)[0][3].narrow(0, 0, 6)};
  };

  const auto paper = run(models::ChannelCollapse::Sum, models::PositionScheme::LearnedDepthPretrainedSpatial);
  check_close(paper[0], {0.112846, -1.836149, 0.034775, 0.082295, 1.466022, -0.556444}, kTolerance);
  check_close(paper[1], {-0.177887, -0.073458, -0.785568, 1.074647, 1.904896, -0.719097}, kTolerance);
  check_close(paper[2], {0.042462, -0.690557, 0.1183, 0.724528, 1.489138, -0.781172}, kTolerance);
  check_close(paper[3], {-0.017731, 0.033929, -0.018943, -0.129816, 0.027284, 0.021037}, kTolerance);

  const auto peer = run(models::ChannelCollapse::Mean, models::PositionScheme::Linear);
  check_close(peer[0], {-1.398368, -1.898848, 1.251637, 0.379899, 0.17987, -0.061399}, kTolerance);
  check_close(peer[1], {1.148905, 1.042959, -0.1018, 1.017699, 0.787771, -1.103175}, kTolerance);
  check_close(peer[2], {0.271359, -0.301801, 0.646735, 0.795796, 0.537073, -0.874205}, kTolerance);
  check_close(peer[3], {-0.044151, 0.025606, -0.045437, -0.108767, 0.025072, 0.000026}, kTolerance);
}

TEST_CASE("inflation by the sum keeps the 2D response, by the mean a third of it; the padded ends see half") {
  const at::Tensor weight2d = spec_gen(7, {5, 3, 4, 4});
  const at::Tensor slice = spec_gen(8, {1, 1, 8, 8}, 1);
  const at::Tensor response2d = at::conv2d(slice.expand({1, 3, 8, 8}), weight2d, {}, 4);
  const at::Tensor volume = slice.unsqueeze(2).expand({1, 1, 6, 8, 8});
  const auto response3d = [&](models::ChannelCollapse collapse) {
    return at::conv3d(volume, models::inflate_patch_embedding(weight2d, collapse, 2), {}, {1, 4, 4}, {1, 0, 0});
  };
  const at::Tensor sum = response3d(models::ChannelCollapse::Sum);
  check_close(sum.select(2, 3), response2d, 1e-6);
  check_close(sum.select(2, 0), response2d / 2, 1e-6);
  check_close(sum.select(2, 6), response2d / 2, 1e-6);
  check_close(response3d(models::ChannelCollapse::Mean).select(2, 3), response2d / 3, 1e-6);
}

TEST_CASE("Gemma 3 text decoder") {
  const Text text;
  const at::Tensor hidden = text.hidden(text.embed({2, 5, 9, 17, 30, 5, 9, 21, 3, 11}));
  check_close(hidden[0][9],
              {0.857937, 1.33628, 2.187432, 0.168321, -0.236898, 1.583087, -0.604179, -2.473821, -0.26752, -0.964819,
               0.667, -0.074296, -1.054827, 0.688185, 0.12102, -0.46214},
              kTolerance);
  const at::Tensor logits = text.model.logits(hidden);
  check_close(logits[0][9].narrow(0, 0, 8),
              {0.156797, 0.451441, 0.31926, 0.164612, 0.369746, -1.069953, -0.58645, -0.57977}, kTolerance);
  CHECK(logits.sum().item<double>() == doctest::Approx(4.982391).epsilon(1e-4));
  const at::Tensor labels = at::tensor(std::vector<std::int64_t>{30, 5, 9, 21, 3, 11}, at::kLong);
  const at::Tensor nll = -logits[0].narrow(0, 3, 6).log_softmax(-1).gather(1, labels.unsqueeze(1));
  CHECK(nll.mean().item<double>() == doctest::Approx(3.295977).epsilon(1e-5));
  const at::Tensor mean = hidden[0].mean(0);
  check_close((mean / mean.norm()).narrow(0, 0, 6), {0.287933, -0.160672, -0.115314, 0.181615, -0.346147, -0.111526},
              kTolerance);
}

TEST_CASE("a soft prompt enters unscaled and decodes the worked tokens") {
  const Text text;
  const at::Tensor inputs = at::cat({spec_gen(900, {1, 3, 16}, 1), text.embed({2, 5, 9, 17})}, 1);
  check_close(text.model.logits(text.hidden(inputs))[0][6].narrow(0, 0, 6),
              {0.503477, -0.023322, -0.551175, 0.135426, -0.105423, 0.04855}, kTolerance);
  CHECK(greedy(text, inputs, 1.0, 0) == std::vector<std::int64_t>{18, 18, 18, 18, 18, 18, 18, 26});
  CHECK(greedy(text, inputs, 1.2, 3) == std::vector<std::int64_t>{18, 18, 18, 26, 13, 31, 13, 14});
}

TEST_CASE("Gemma 3 with images: features, and logits behind and inside the bidirectional block") {
  const TemporaryDirectory dir;
  write_text(dir.path() + "/config.json",
             std::string(R"({"model_type": "gemma3", "mm_tokens_per_image": 4, "image_token_index": 28,
               "boi_token_index": 26, "eoi_token_index": 27, "text_config": {)") +
                 kTextFields + R"(}, "vision_config": )" + kVisionConfig + "}");
  Shapes shapes = text_shapes("model.language_model.");
  for (const auto& shape : vision_shapes("model.vision_tower.")) shapes.push_back(shape);
  shapes.emplace_back("model.multi_modal_projector.mm_input_projection_weight", std::vector<std::int64_t>{12, 16});
  shapes.emplace_back("model.multi_modal_projector.mm_soft_emb_norm.weight", std::vector<std::int64_t>{12});
  CHECK(shapes.size() == 132);
  write_filled_model(dir.path(), shapes, is_layer_norm_weight);
  const auto model = models::Gemma3Multimodal::load(dir.path(), at::kFloat);

  const at::Tensor pixels = spec_gen(901, {1, 3, 28, 28}, 1);
  check_close(model.image_features(pixels)[0][0].narrow(0, 0, 6),
              {0.274708, -0.374398, 0.652793, -0.660876, -0.598283, -0.66962}, kTolerance);
  const at::Tensor ids = at::tensor(std::vector<std::int64_t>{2, 5, 26, 28, 28, 28, 28, 27, 7, 9, 11}, at::kLong);
  const at::Tensor logits = model.logits(ids, pixels)[0];
  check_close(logits[10].narrow(0, 0, 6), {0.579546, -0.285002, -0.221009, 0.013542, 0.105016, 1.109306}, kTolerance);
  check_close(logits[4].narrow(0, 0, 6), {-0.445126, -0.339973, 0.24476, -0.590066, 0.523713, 0.057483}, kTolerance);
}

TEST_CASE("RMSNorm, rotary embedding and the activation give the worked numbers") {
  const at::Tensor x = at::tensor({1.0F, 2.0F, 3.0F, 4.0F});
  const at::Tensor scale = at::tensor({1.0F, 1.5F, 0.5F, 2.0F});
  check_close(ops::rms_norm(x, scale, 1e-6), {0.36514837, 1.09544516, 0.54772258, 2.92118692}, 1e-6);

  const auto rotate = [&](double theta, double factor) {
    const auto table = nn::RotaryTable::make(4, 4, theta, factor, at::kFloat);
    return ops::rotary(x.view({1, 1, 1, 4}), table.cos.narrow(0, 3, 1), table.sin.narrow(0, 3, 1));
  };
  check_close(rotate(1e4, 1), {-1.4133525, 1.8791181, -2.8288574, 4.0581913}, 1e-6);
  check_close(rotate(1e6, 8), {-0.1683100, 1.9984999, 3.1577952, 4.0007496}, 1e-6);

  const at::Tensor gate = at::tensor({-3.0F, -1.0F, -0.5F, 0.5F, 1.0F, 3.0F});
  check_close(ops::gelu_tanh_mul(at::cat({gate, at::ones({6})})),
              {-0.00363743, -0.15880799, -0.1542860, 0.3457140, 0.8411921, 2.9963627}, 1e-6);
}

TEST_CASE("tensor names of every layout have one canonical form") {
  const std::pair<const char*, const char*> cases[] = {
      {"model.layers.0.self_attn.q_proj.weight", "text.layers.0.self_attn.q_proj.weight"},
      {"language_model.model.layers.0.mlp.up_proj.weight", "text.layers.0.mlp.up_proj.weight"},
      {"model.language_model.embed_tokens.weight", "text.embed_tokens.weight"},
      {"language_model.lm_head.weight", "lm_head.weight"},
      {"lm_head.weight", "lm_head.weight"},
      {"vision_tower.vision_model.encoder.layers.0.mlp.fc1.bias", "vision.encoder.layers.0.mlp.fc1.bias"},
      {"model.vision_tower.post_layernorm.bias", "vision.post_layernorm.bias"},
      {"multi_modal_projector.mm_soft_emb_norm.weight", "mmproj.mm_soft_emb_norm.weight"},
      {"model.multi_modal_projector.mm_input_projection_weight", "mmproj.mm_input_projection_weight"},
      {"vision_model.embeddings.patch_embedding.weight", "vision.embeddings.patch_embedding.weight"},
      {"base_model.model.model.language_model.layers.3.self_attn.k_proj.lora_A.weight",
       "text.layers.3.self_attn.k_proj.lora_A.weight"},
      {"base_model.model.model.layers.3.self_attn.k_proj.lora_B.weight",
       "text.layers.3.self_attn.k_proj.lora_B.weight"},
      {"something.else", "something.else"}};
  for (const auto& [stored, canonical] : cases) CHECK(weights::canonical_tensor_name(stored) == canonical);
}
