// Every rule of decoding with numbers worked out by hand, and transformers' processors on random
// logits, ties and edges (fixtures of tools/reference/sampling.py; 1e-5 absolute, since a penalty and a temperature are
// each one float32 rounding; bans must agree exactly).
#include "generate/sampling.h"

#include <cmath>
#include <limits>

#include "base/error.h"
#include "io/json.h"
#include "support/golden.h"
#include "support/paper.h"

using namespace brain3d;
using namespace brain3d::generate;
using namespace brain3d::test;

namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

at::Tensor row(const std::vector<float>& values) { return at::tensor(values).unsqueeze(0).to(test_device()); }
at::Tensor count_of(std::int64_t n) {
  return at::scalar_tensor(n, at::TensorOptions().dtype(at::kLong).device(test_device()));
}

at::Tensor zeros(at::IntArrayRef sizes, at::ScalarType type = at::kFloat) {
  return at::zeros(sizes, at::TensorOptions().dtype(type).device(test_device()));
}

/// A history buffer of the given capacity, as the sampler holds it.
at::Tensor history_of(const std::vector<std::int64_t>& ids, std::int64_t capacity) {
  at::Tensor history = at::zeros({1, capacity}, at::kLong);
  for (std::size_t i = 0; i < ids.size(); ++i) history[0][static_cast<std::int64_t>(i)] = ids[i];
  return history.to(test_device());
}

at::Tensor seen_of(const at::Tensor& history, std::int64_t vocab) {
  at::Tensor seen = at::zeros({history.size(0), vocab}, history.options().dtype(at::kBool));
  return history.size(1) == 0 ? seen : seen.scatter_(1, history, true);
}

/// Indices that are not banned, of one row.
std::vector<std::int64_t> kept(const at::Tensor& scores) {
  const at::Tensor indices = (scores[0] > -kInf).nonzero().flatten().cpu();
  return {indices.const_data_ptr<std::int64_t>(), indices.const_data_ptr<std::int64_t>() + indices.numel()};
}

std::vector<std::int64_t> banned(const at::Tensor& scores) {
  const at::Tensor indices = (scores[0] == -kInf).nonzero().flatten().cpu();
  return {indices.const_data_ptr<std::int64_t>(), indices.const_data_ptr<std::int64_t>() + indices.numel()};
}

std::vector<std::int64_t> ngram_bans(const std::vector<std::int64_t>& history) {
  return banned(
      no_repeat_ngram(zeros({1, 10}), history_of(history, 16), count_of(static_cast<std::int64_t>(history.size())), 3));
}

std::vector<std::int64_t> top_p_kept(const std::vector<float>& probabilities, double p) {
  return kept(top_p(row(probabilities).log(), p));
}

using Ids = std::vector<std::int64_t>;

bool sorts(const io::Json& item) {
  for (const io::Json& processor : item.at("processors"))
    if (processor.at("type") == "top_p" && processor.at("p") < 1.0) return true;
  return false;
}

at::Tensor apply(const at::Tensor& scores, const io::Json& processor, const at::Tensor& history) {
  const std::string type = processor.at("type");
  const auto length = history.size(1);
  const auto vocab = scores.size(1);
  if (type == "repetition_penalty") return repetition_penalty(scores, seen_of(history, vocab), processor.at("penalty"));
  if (type == "no_repeat_ngram") {
    // Room beyond the history, as in the sampler: unwritten places must not count.
    const at::Tensor buffer = at::constant_pad_nd(history, {0, 7}, 0);
    return no_repeat_ngram(scores, buffer, count_of(length), processor.at("size"));
  }
  if (type == "min_new_tokens") {
    at::Tensor is_eos = zeros({vocab}, at::kBool);
    for (const std::int64_t id : processor.at("eos")) is_eos[id] = true;
    return min_new_tokens(scores, is_eos, count_of(length), processor.at("min_new_tokens"));
  }
  if (type == "temperature") return scores / processor.at("temperature").get<double>();
  if (type == "top_k") return top_k(scores, processor.at("k"));
  REQUIRE(type == "top_p");
  return top_p(scores, processor.at("p"));
}

}  // namespace

TEST_CASE("repetition penalty acts once per seen token, by sign") {
  const at::Tensor scores = row({2.0F, 1.2F, -0.6F, -1.2F, 0.0F, 0.3F, 4.8F});
  check_close(repetition_penalty(scores, seen_of(history_of({1, 3, 3, 5}, 4), 7), 1.2),
              {2.0, 1.0, -0.6, -1.44, 0.0, 0.25, 4.8}, 1e-6);
  CHECK(repetition_penalty(scores, zeros({1, 7}, at::kBool), 1.2).equal(scores));
}

TEST_CASE("trigram blocking bans what would repeat a trigram") {
  CHECK(ngram_bans({4, 5, 6, 7, 4, 5}) == Ids{6});
  CHECK(ngram_bans({4, 5, 6, 4, 5, 7, 4, 5}) == Ids{6, 7});
  CHECK(ngram_bans({4, 5}) == Ids{});
  CHECK(ngram_bans({4, 5, 6}) == Ids{});
  CHECK(ngram_bans({5, 5, 5}) == Ids{5});
  CHECK(ngram_bans({5, 5}) == Ids{});
  CHECK(ngram_bans({1, 2, 1, 2, 1}) == Ids{2});
  CHECK(ngram_bans({}) == Ids{});
  CHECK(ngram_bans({0, 0}) == Ids{});  // unwritten places hold 0 too
}

TEST_CASE("min new tokens bans every EOS until enough were generated") {
  at::Tensor is_eos = zeros({4}, at::kBool);
  is_eos[1] = true;
  is_eos[3] = true;
  CHECK(banned(min_new_tokens(zeros({1, 4}), is_eos, count_of(4), 5)) == Ids{1, 3});
  CHECK(banned(min_new_tokens(zeros({1, 4}), is_eos, count_of(5), 5)) == Ids{});
}

TEST_CASE("temperature then top-p give the worked probabilities") {
  const at::Tensor warm = row({2.0F, 1.9F, 1.5F, 0.0F}) / 0.1;
  check_close(warm.softmax(-1), {0.727475, 0.267623, 0.004902, 0}, 1e-6);
  check_close(top_p(warm, 0.9).softmax(-1), {0.731059, 0.268941, 0, 0}, 1e-6);
}

TEST_CASE("top-k keeps ties with the k-th largest") {
  CHECK(kept(top_k(row({1, 3, 2, 3, 2}), 1)) == Ids{1, 3});
  CHECK(kept(top_k(row({1, 3, 2, 3, 2}), 3)) == Ids{1, 2, 3, 4});
  CHECK(kept(top_k(row({1, 3, 2}), 200)) == Ids{0, 1, 2});
}

TEST_CASE("top-p keeps the smallest set, ties removed from the lower index") {
  const std::vector<float> steps{0.5F, 0.3F, 0.15F, 0.05F};
  CHECK(top_p_kept(steps, 0.9) == Ids{0, 1, 2});
  CHECK(top_p_kept(steps, 0.8) == Ids{0, 1});
  CHECK(top_p_kept(steps, 0.79) == Ids{0, 1});
  CHECK(top_p_kept(steps, 0.95) == Ids{0, 1, 2});
  CHECK(top_p_kept(steps, 0) == Ids{0});
  CHECK(top_p_kept(steps, 1) == Ids{0, 1, 2, 3});
  const std::vector<float> tied{0.5F, 0.25F, 0.125F, 0.125F};
  CHECK(top_p_kept(tied, 0.5) == Ids{0});
  CHECK(top_p_kept(tied, 0.75) == Ids{0, 1});
  CHECK(top_p_kept(tied, 0.875) == Ids{0, 1, 3});
  CHECK(top_p_kept(tied, 0.76) == Ids{0, 1, 3});
  CHECK(top_p_kept(tied, 0.9) == Ids{0, 1, 2, 3});
  const std::vector<float> equal{0.25F, 0.25F, 0.25F, 0.25F};
  CHECK(top_p_kept(equal, 0.25) == Ids{3});
  CHECK(top_p_kept(equal, 0.26) == Ids{2, 3});
  CHECK(top_p_kept(equal, 0.5) == Ids{2, 3});
  CHECK(top_p_kept(equal, 0.75) == Ids{1, 2, 3});
  CHECK(top_p_kept(equal, 0.9) == Ids{0, 1, 2, 3});
  CHECK(kept(top_p(row({0, 0, -kInf, -kInf}), 0.9)) == Ids{0, 1});
}

TEST_CASE("every processor and their chain equal transformers on random logits, ties and bans") {
  const io::Json index = io::read_json(golden_path("sampling.json"));
  const std::string file = "sampling.safetensors";
  REQUIRE(index.at("cases").size() > 80);
  for (const io::Json& item : index.at("cases")) {
    CAPTURE(item.at("name").get<std::string>());
    const at::Tensor history = golden_tensor(file, item.at("history"));
    at::Tensor scores = golden_tensor(file, item.at("logits"));
    scores = scores.to(test_device());
    for (const io::Json& processor : item.at("processors"))
      scores = apply(scores, processor, history.to(test_device()));
    scores = scores.cpu();
    at::Tensor expected = golden_tensor(file, item.at("output"));
    if (item.at("logits") == "logits.ties" && sorts(item)) {
      // Only top-p sorts. transformers calls torch.sort without `stable`, which breaks ties as it likes, so here the
      // values that survive are compared, not which of the tied tokens hold them; the worked tie cases,
      // by index, are above.
      scores = std::get<0>(scores.sort(-1));
      expected = std::get<0>(expected.sort(-1));
    }
    CHECK((scores == -kInf).equal(expected == -kInf));
    CHECK(at::allclose(scores, expected, 1e-6, 1e-5));
  }
}

TEST_CASE("sampling follows its distribution (chi-square) and never leaves the support") {
  const std::vector<double> probabilities{0.4, 0.0, 0.3, 0.2, 0.1};
  const std::int64_t draws = 50000;
  const at::Tensor scores =
      at::tensor(probabilities, at::kDouble).log().to(test_device(), at::kFloat).expand({draws, 5});
  const at::Tensor tokens = sample_inverse_cdf(scores, seeded_uniforms(11, draws).to(test_device()));
  double chi_square = 0;
  for (std::size_t i = 0; i < probabilities.size(); ++i) {
    const auto observed = (tokens == static_cast<std::int64_t>(i)).sum().item<double>();
    const double expected = probabilities[i] * static_cast<double>(draws);
    if (expected == 0)
      CHECK(observed == 0);
    else
      chi_square += (observed - expected) * (observed - expected) / expected;
  }
  CHECK(chi_square < 16.27);  // 3 degrees of freedom, p = 0.001; the seed is fixed
}

TEST_CASE("the inverse CDF stays inside the support at its ends") {
  const at::Tensor scores = row({-kInf, 1.0F, 1.0F, -kInf});
  CHECK(sample_inverse_cdf(scores, row({0.0F})[0]).item<std::int64_t>() == 1);
  CHECK(sample_inverse_cdf(scores, row({1.0F - 0x1p-23F})[0]).item<std::int64_t>() == 2);
}

TEST_CASE("a seed gives the same draws everywhere, another seed others") {
  // splitmix64 of seed 0 begins e220a8397b1dcdaf, 6e789e6aa1b965f4, 06c45d188009454f; the upper 23 bits of each.
  check_close(seeded_uniforms(0, 3), {0.8833107948303223, 0.4315279722213745, 0.026433706283569336}, 1e-9);
  CHECK_FALSE(seeded_uniforms(1, 8).equal(seeded_uniforms(2, 8)));
}

TEST_CASE("a row stops after its EOS and is padded; the others go on") {
  SamplingOptions options = test::paper_sampling();
  options.greedy = true;
  options.repetition_penalty = 1;
  options.no_repeat_ngram_size = 0;
  options.max_new_tokens = 3;
  options.eos_token_ids = {1};
  options.pad_token_id = 7;
  Sampler sampler(options, 2, 8, test_device());
  at::Tensor first = zeros({2, 8});
  first[0][1] = 1;
  first[1][4] = 1;
  sampler.step(first);
  CHECK(sampler.tokens().cpu().equal(at::tensor(Ids{1, 4})));
  at::Tensor second = zeros({2, 8});
  second.select(1, 5).fill_(1);
  sampler.step(second);
  CHECK(sampler.tokens().cpu().equal(at::tensor(Ids{7, 5})));
  CHECK(sampler.finished()[0].item<bool>());
  CHECK_FALSE(sampler.finished()[1].item<bool>());
}

TEST_CASE("rejects options outside their range") {
  const auto with = [](auto change) {
    SamplingOptions options = test::paper_sampling();
    change(options);
    Sampler(options, 1, 8, test_device());
  };
  CHECK_THROWS_WITH_AS(with([](auto& o) { o.min_new_tokens = o.max_new_tokens + 1; }),
                       doctest::Contains("min_new_tokens"), Error);
  CHECK_THROWS_WITH_AS(with([](auto& o) { o.temperature = 0; }), doctest::Contains("temperature"), Error);
  CHECK_THROWS_WITH_AS(with([](auto& o) { o.top_p = 1.5; }), doctest::Contains("top_p"), Error);
  CHECK_THROWS_WITH_AS(with([](auto& o) { o.eos_token_ids = {8}; }), doctest::Contains("vocabulary of 8"), Error);
  CHECK_NOTHROW(with([](auto&) {}));
}

TEST_CASE("factors that float32 does not hold are refused") {
  const auto with = [](auto change) {
    SamplingOptions options = test::paper_sampling();
    change(options);
    Sampler(options, 1, 8, test_device());
  };
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  for (const double factor : {1e-39, 1e-45, 1e-300, 0.0, -1.0, 1e39, 1e300, static_cast<double>(kInf), kNan}) {
    CAPTURE(factor);
    CHECK_THROWS_WITH_AS(with([&](auto& o) { o.temperature = factor; }), doctest::Contains("temperature"), Error);
    for (const bool greedy : {false, true})
      CHECK_THROWS_WITH_AS(with([&](auto& o) {
                             o.greedy = greedy;
                             o.repetition_penalty = factor;
                           }),
                           doctest::Contains("repetition_penalty"), Error);
    CHECK_NOTHROW(with([&](auto& o) {
      o.greedy = true;  // without a temperature
      o.temperature = factor;
    }));
  }
  for (const double factor : {1.2e-38, 1e-30, 1e30, 3.4e38})
    CHECK_NOTHROW(with([&](auto& o) { o.temperature = o.repetition_penalty = factor; }));
}

// Over random logits and options: a step either says that it had no choice, or chose a token that was the largest of
// what the processors left, or one of their support.
TEST_CASE("no token is chosen among scores that are not finite, whatever the options") {
  const at::Tensor logits = spec_gen(3, {2, 50}, 20).to(test_device());
  int num_failed = 0, num_chosen = 0;
  for (const double temperature : {1.2e-38, 1e-37, 1e-30, 1e-5, 1.0, 1e30, 3.4e38})
    for (const double penalty : {1.2e-38, 1e-20, 0.5, 1.0, 1.2, 1e20, 3.4e38})
      for (const double p : {0.0, 1e-30, 0.9, 1.0})
        for (const bool greedy : {false, true}) {
          SamplingOptions options = test::paper_sampling();
          options.greedy = greedy;
          options.temperature = temperature;
          options.repetition_penalty = penalty;
          options.top_p = p;
          options.max_new_tokens = 4;
          options.eos_token_ids = {49};
          Sampler sampler(options, 2, 50, test_device());
          for (int step = 0; step < 4 && sampler.finite().item<bool>(); ++step) {
            const at::Tensor largest = sampler.process(logits).amax(-1);
            const at::Tensor was_finished = sampler.finished().clone();
            sampler.step(logits);
            CHECK(sampler.finite_logits().item<bool>());
            const bool has_choice = largest.isfinite().logical_or(was_finished).all().item<bool>();
            CHECK(sampler.finite().item<bool>() == has_choice);
            ++(has_choice ? num_chosen : num_failed);
          }
        }
  CHECK(num_failed > 20);
  CHECK(num_chosen > 500);
}

TEST_CASE("a row whose every token is banned is noticed, and one that has finished does not matter") {
  SamplingOptions options = test::paper_sampling();
  options.greedy = true;
  options.repetition_penalty = 1;
  options.no_repeat_ngram_size = 1;
  options.max_new_tokens = 4;
  options.eos_token_ids = {0};
  Sampler sampler(options, 1, 3, test_device());
  sampler.step(row({1, 2, 3}));
  sampler.step(row({1, 2, 3}));
  CHECK(sampler.finite().item<bool>());
  sampler.step(row({1, 2, 3}));  // the end of text, the last that is left
  sampler.step(row({1, 2, 3}));
  CHECK(sampler.finite().item<bool>());
  options.eos_token_ids = {};
  Sampler endless(options, 1, 3, test_device());
  for (int step = 0; step < 3; ++step) endless.step(row({1, 2, 3}));
  CHECK(endless.finite().item<bool>());
  endless.step(row({1, 2, 3}));
  CHECK_FALSE(endless.finite().item<bool>());
  CHECK(endless.finite_logits().item<bool>());
}

TEST_CASE("logits that are not finite are noticed") {
  SamplingOptions options = test::paper_sampling();
  options.max_new_tokens = 2;
  Sampler sampler(options, 1, 4, test_device());
  sampler.step(row({1, 2, 3, 4}));
  CHECK(sampler.finite().item<bool>());
  sampler.step(row({1, NAN, 3, 4}));
  CHECK_FALSE(sampler.finite().item<bool>());
  CHECK_FALSE(sampler.finite_logits().item<bool>());
}
