#include "io/json.h"

#include "io/io_test_support.h"

namespace brain3d::io {
namespace {

using test::check_refused;
using test::TempDir;

std::string nested(int depth) {
  return std::string(static_cast<std::size_t>(depth), '[') + std::string(static_cast<std::size_t>(depth), ']');
}

TEST_CASE("plain JSON parses, with its numbers as written") {
  const Json json =
      parse_json(R"( {"a": [1, -2, 3.5], "b": {"c": "\u00e4", "d": null}, "e": 18446744073709551615} )", "x.json");
  CHECK(json["a"][0].is_number_unsigned());
  CHECK(json["a"][1].get<int>() == -2);
  CHECK(json["a"][2].get<double>() == 3.5);
  CHECK(json["b"]["c"] == "\xc3\xa4");
  CHECK(json["e"].get<std::uint64_t>() == 18446744073709551615U);
}

TEST_CASE("the same key may appear in different objects") {
  CHECK(parse_json(R"({"a": {"a": {"a": 1}}, "b": [{"a": 1}, {"a": 2}]})", "x").size() == 2);
}

TEST_CASE("rejects text that is not strict JSON") {
  const std::string deep(200'000, '[');
  const std::pair<std::string, const char*> cases[] = {
      {"", "error at byte"},
      {"{", "error at byte"},
      {"{} x", "error at byte"},
      {"{}{}", "error at byte"},
      {"{'a': 1}", "error at byte"},
      {"{\"a\": 1,}", "error at byte"},
      {"[NaN]", "error at byte"},
      {"[1e999]", "range of a double"},
      {"// no\n{}", "error at byte"},
      {"[\"\xff\"]", "error at byte"},
      {"[\"\xc0\xaf\"]", "error at byte"},
      {"[\"\\ud800\"]", "error at byte"},
      {"[\"a\nb\"]", "error at byte"},
      {"\xEF\xBB\xBF{}", "byte order mark"},
      {std::string("{}\0", 3), "NUL byte at byte 2"},
      {std::string("{}\0{\"hidden\": 1}", 16), "NUL byte at byte 2"},
      {R"({"a": 1, "a": 1})", "\"a\" appears twice"},
      {R"({"b": {"a": 1, "a": 2}})", "\"a\" appears twice"},
      {R"({"a": 1, "\u0061": 2})", "\"a\" appears twice"},
      {nested(33), "at most 32 nested levels"},
      {deep, "at most 32 nested levels"},
  };
  for (const auto& [text, part] : cases) {
    CAPTURE(text.substr(0, 40));
    check_refused([&] { parse_json(text, "x.json"); }, ErrorCode::Format, part);
    check_refused([&] { parse_json(text, "x.json"); }, ErrorCode::Format, "x.json: ");
  }
}

TEST_CASE("nesting counts up to the limit that is asked for") {
  CHECK_NOTHROW(parse_json(nested(32), "x"));
  CHECK_NOTHROW(parse_json(nested(2), "x", 2));
  check_refused([] { parse_json(nested(3), "x", 2); }, ErrorCode::Format, "at most 2 nested levels");
  check_refused([] { parse_json(R"({"a": {"b": {}}})", "x", 2); }, ErrorCode::Format, "at most 2 nested levels");
}

TEST_CASE("rejects a document that would take far more memory than its text") {
  std::string text = "[";
  for (int i = 0; i < 2'200'000; ++i) text += "{},";
  text += "{}]";
  check_refused([&] { parse_json(text, "x.json"); }, ErrorCode::Format, "too many values");
}

TEST_CASE("an error never quotes the text of the file") {
  try {
    parse_json(R"({"name": "PHI_CANARY_1" "x"})", "x.json");
    FAIL("expected an error");
  } catch (const Error& error) {
    CHECK(std::string(error.what()).find("PHI_CANARY") == std::string::npos);
    CHECK(error.detail().file == "x.json");
    CHECK(error.detail().offset > 0);
  }
}

TEST_CASE("a JSON file is read up to its size limit") {
  const TempDir dir;
  const std::string path = dir.write("config.json", R"({"hidden_size": 32})");
  CHECK(read_json(path)["hidden_size"] == 32);
  check_refused([&] { read_json(path, 8); }, ErrorCode::Format, "expected at most 8 bytes");
  check_refused([&] { read_json(dir.file("absent.json")); }, ErrorCode::NotFound, "absent.json");
}

}  // namespace
}  // namespace brain3d::io
