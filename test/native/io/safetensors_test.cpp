#include "io/safetensors.h"

#include <cstring>

#include "io/io_test_support.h"
#include "io/json.h"

namespace brain3d::io {
namespace {

using test::check_refused;
using test::golden;
using test::raw;
using test::read_back;
using test::TempDir;

// A file with this header and these tensor bytes.
std::string container(const std::string& header, const std::string& data = "") {
  return raw(static_cast<std::uint64_t>(header.size())) + header + data;
}

std::string info(const std::string& shape, std::uint64_t begin, std::uint64_t end, const std::string& dtype = "U8") {
  return R"({"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":[)" + std::to_string(begin) + "," +
         std::to_string(end) + "]}";
}

SafetensorsFile open_bytes(const TempDir& dir, const std::string& bytes) {
  return SafetensorsFile(dir.write("m.safetensors", bytes));
}

TEST_CASE("every element type has the size and name that the format gives it") {
  const std::pair<const char*, std::size_t> types[] = {{"BOOL", 1}, {"U8", 1},   {"I8", 1},  {"U16", 2}, {"I16", 2},
                                                       {"F16", 2},  {"BF16", 2}, {"U32", 4}, {"I32", 4}, {"F32", 4},
                                                       {"U64", 8},  {"I64", 8},  {"F64", 8}};
  for (const auto& [name, bytes] : types) {
    const std::optional<DType> dtype = dtype_from_name(name);
    REQUIRE(dtype.has_value());
    CHECK(std::string(dtype_name(*dtype)) == name);
    CHECK(dtype_bytes(*dtype) == bytes);
  }
  CHECK_FALSE(dtype_from_name("f32").has_value());
  CHECK(tensor_bytes(DType::F32, {}) == 4);
  CHECK(tensor_bytes(DType::F32, {0, 5}) == 0);
  CHECK_FALSE(tensor_bytes(DType::F32, {std::int64_t{1} << 40, std::int64_t{1} << 40}).has_value());
  CHECK_FALSE(tensor_bytes(DType::F32, {-1}).has_value());
}

TEST_CASE("what is written reads back: values, shapes, types and metadata") {
  const TempDir dir;
  const float matrix[6] = {0, 1, 2, 3, 4, -5};
  const std::int64_t ids[2] = {7, -9};
  const std::uint16_t halves[3] = {0x3F80, 0xBF80, 0};
  const float scale = 0.5F;
  const std::string path = dir.file("w.safetensors");
  write_safetensors(path,
                    {{"b.weight", DType::F32, {2, 3}, matrix},
                     {"ids", DType::I64, {2}, ids},
                     {"a.bias", DType::BF16, {3}, halves},
                     {"scale", DType::F32, {}, &scale},
                     {"none", DType::F32, {0, 5}, nullptr}},
                    {{"format", "pt"}, {"note", "\xc3\xa4 \"quoted\""}});
  const SafetensorsFile file(path);
  CHECK(file.name() == "w.safetensors");
  CHECK(file.tensors().size() == 5);
  CHECK(file.metadata().at("note") == "\xc3\xa4 \"quoted\"");
  CHECK(file.warnings().empty());
  CHECK(file.header_bytes() % 8 == 0);
  const TensorEntry& weight = file.tensors().at("b.weight");
  CHECK(weight.shape == std::vector<std::int64_t>{2, 3});
  CHECK(weight.begin % 4 == 0);
  file.release(weight);
  CHECK(std::memcmp(file.data(weight), matrix, sizeof(matrix)) == 0);
  CHECK(std::memcmp(file.data(file.tensors().at("ids")), ids, sizeof(ids)) == 0);
  CHECK(std::memcmp(file.data(file.tensors().at("a.bias")), halves, sizeof(halves)) == 0);
  CHECK(file.tensors().at("a.bias").dtype == DType::BF16);
  CHECK(file.tensors().at("scale").shape.empty());
  CHECK(file.tensors().at("none").begin == file.tensors().at("none").end);
}

TEST_CASE("the order in which tensors are given does not change the file") {
  const TempDir dir;
  const float one = 1;
  const std::uint8_t byte = 2;
  const TensorToWrite a{"a", DType::U8, {1}, &byte};
  const TensorToWrite b{"b", DType::F32, {1}, &one};
  const TensorToWrite c{"c", DType::F32, {1}, &one};
  write_safetensors(dir.file("1"), {a, b, c});
  write_safetensors(dir.file("2"), {c, b, a});
  CHECK(read_back(dir.file("1")) == read_back(dir.file("2")));
}

TEST_CASE("a file may be rewritten while it is open") {
  const TempDir dir;
  const float old_value = 1;
  const float new_value = 2;
  write_safetensors(dir.file("w"), {{"x", DType::F32, {}, &old_value}});
  const SafetensorsFile file(dir.file("w"));
  write_safetensors(dir.file("w"), {{"x", DType::F32, {}, &new_value}});
  CHECK(std::memcmp(file.data(file.tensors().at("x")), &old_value, 4) == 0);
}

TEST_CASE("rejects tensors that could not be read back") {
  const TempDir dir;
  const float one = 1;
  const std::pair<std::vector<TensorToWrite>, const char*> cases[] = {
      {{{"", DType::F32, {}, &one}}, "tensor name"},
      {{{"__metadata__", DType::F32, {}, &one}}, "tensor name"},
      {{{"a\nb", DType::F32, {}, &one}}, "tensor name"},
      {{{"\xff", DType::F32, {}, &one}}, "tensor name"},
      {{{std::string(1025, 'x'), DType::F32, {}, &one}}, "tensor name"},
      {{{"a", DType::F32, {-1}, &one}}, "cannot have shape [-1]"},
      {{{"a", DType::F32, {1, 1, 1, 1, 1, 1, 1, 1, 1}, &one}}, "cannot have shape"},
      {{{"a", DType::F32, {1}, nullptr}}, "has no data"},
      {{{"a", DType::F32, {}, &one}, {"a", DType::F32, {}, &one}}, "two tensors are called \"a\""},
  };
  for (const auto& [tensors, part] : cases) {
    check_refused([&] { write_safetensors(dir.file("w"), tensors); }, ErrorCode::Usage, part);
  }
  check_refused([&] { write_safetensors(dir.file("w"), {}, {{"k", "\xff"}}); }, ErrorCode::Usage, "metadata in UTF-8");
  CHECK_FALSE(std::filesystem::exists(dir.file("w")));
}

TEST_CASE("files at the edge of the format are accepted") {
  const TempDir dir;
  const std::string ok[] = {
      container("{}"),
      container("{}      "),
      container(R"({"__metadata__":{}})"),
      container("{\"a\":" + info("[]", 0, 1) + "}", "x"),
      container("{\"a\":" + info("[0,5]", 0, 0) + ",\"b\":" + info("[1]", 0, 1) + "}", "x"),
      container("{\"../../etc/passwd\":" + info("[1]", 0, 1) + "}", "x"),
      container("{\"a\":" + info("[2]", 0, 2, "BOOL") + "}", std::string("\0\1", 2)),
  };
  for (const std::string& bytes : ok) CHECK_NOTHROW(open_bytes(dir, bytes));
  const std::string extra = R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"note":1}})";
  CHECK(open_bytes(dir, container(extra, "x")).warnings().size() == 1);
}

TEST_CASE("rejects headers that are cut off, too long or not JSON objects") {
  const TempDir dir;
  const std::pair<std::string, const char*> cases[] = {
      {"", "got only 0 bytes"},
      {"1234567", "got only 7 bytes"},
      {raw(std::uint64_t{0}), "begin with '{'"},
      {raw(std::uint64_t{3}) + "{}", "cut off"},
      {raw(std::uint64_t{1} << 63) + "{}", "header of at most"},
      {raw(~std::uint64_t{0}) + "{}", "header of at most"},
      {raw((std::uint64_t{16} << 20) + 1) + "{}", "header of at most"},
      {container("{\"\xff\":1}"), "error at byte"},
      {container("{"), "error at byte"},
      {container("[]"), "begin with '{'"},
      {container("null"), "begin with '{'"},
      {container(" {}"), "begin with '{'"},
      {container("\xEF\xBB\xBF{}"), "begin with '{'"},
      {container(std::string("{}\0", 3)), "NUL"},
      {container("{}x"), "error at byte"},
      {container("{}", "x"), "unexplained bytes follow"},
      {container(R"({"__metadata__":[]})"), "object of strings"},
      {container(R"({"__metadata__":{"a":1}})"), "expected a string for \"a\""},
      {container(R"({"__metadata__":{},"__metadata__":{}})"), "appears twice"},
      {container("{\"a\":" + info("[0]", 0, 0) + ",\"a\":" + info("[0]", 0, 0) + "}"), "appears twice"},
      {container("{\"a\":" + std::string(200, '[') + std::string(200, ']') + "}"), "nested levels"},
      {container("{\"a\":" + std::string(100'000, '[')), "nested levels"},
      {container("{\"a\":1}"), "expected an object with dtype"},
      {container("{\"\":" + info("[0]", 0, 0) + "}"), "expected tensor names"},
      {container("{\"a\\u0000\":" + info("[0]", 0, 0) + "}"), "expected tensor names"},
      {container("{\"a\\n\":" + info("[0]", 0, 0) + "}"), "expected tensor names"},
      {container("{\"\\ud800\":" + info("[0]", 0, 0) + "}"), "error at byte"},
      {container("{\"" + std::string(1025, 'n') + "\":" + info("[0]", 0, 0) + "}"), "expected tensor names"},
  };
  for (const auto& [bytes, part] : cases) {
    CAPTURE(bytes.substr(0, 60));
    check_refused([&] { open_bytes(dir, bytes); }, ErrorCode::Format, part);
  }
}

TEST_CASE("rejects tensors whose type, shape or place does not add up") {
  const TempDir dir;
  const auto one = [](const std::string& body) { return "{\"a\":" + body + "}"; };
  const auto two = [](const std::string& a, const std::string& b) { return "{\"a\":" + a + ",\"b\":" + b + "}"; };
  const std::pair<std::string, const char*> cases[] = {
      {container(one(info("[2]", 0, 2)), "x"), "cut off"},
      {container(one(info("[2]", 0, 2)), "xyz"), "unexplained bytes follow"},
      {container(one(info("[1]", 1, 2)), "xy"), "gap"},
      {container(two(info("[1]", 0, 1), info("[1]", 2, 3)), "xyz"), "gap"},
      {container(two(info("[2]", 0, 2), info("[2]", 1, 3)), "xyz"), "overlap"},
      {container(two(info("[2]", 0, 2), info("[2]", 0, 2)), "xy"), "overlap"},
      {container(one(info("[1]", 2, 1)), "xy"), "expected 1 bytes"},
      {container(one(info("[3]", 0, 2)), "xy"), "expected 3 bytes"},
      {container(one(info("[1]", 0, 1, "F32")), "x"), "expected 4 bytes"},
      {container(one(info("[1099511627776,1099511627776]", 0, 0))), "size in bytes below 2^64"},
      {container(one(info("[0,18446744073709551615]", 0, 0))), "expected axes of at most"},
      {container(one(info("[0,1099511627777]", 0, 0))), "expected axes of at most"},
      {container(one(info("[1,1,1,1,1,1,1,1,1]", 0, 1)), "x"), "at most 8 axes"},
      {container(one(info("[-1]", 0, 1)), "x"), "non-negative integers"},
      {container(one(info("[1.0]", 0, 1)), "x"), "non-negative integers"},
      {container(one(info("[\"1\"]", 0, 1)), "x"), "non-negative integers"},
      {container(one(info("1", 0, 1)), "x"), "expected an array"},
      {container(one(R"({"dtype":"U8","shape":[1],"data_offsets":[0,1e0]})"), "x"), "non-negative integers"},
      {container(one(R"({"dtype":"U8","shape":[1],"data_offsets":[-1,0]})"), "x"), "non-negative integers"},
      {container(one(R"({"dtype":"U8","shape":[1],"data_offsets":[0,1,1]})"), "x"), "two offsets"},
      {container(one(R"({"shape":[1],"data_offsets":[0,1]})"), "x"), "dtype: it is missing"},
      {container(one(R"({"dtype":"U8","data_offsets":[0,1]})"), "x"), "shape: it is missing"},
      {container(one(R"({"dtype":"U8","shape":[1]})"), "x"), "data_offsets: it is missing"},
      {container(one(info("[1]", 0, 1, "u8")), "x"), "got \"u8\""},
      {container(one(info("[1]", 0, 1, "X9")), "x"), "got \"X9\""},
      {container(one(R"({"dtype":8,"shape":[1],"data_offsets":[0,1]})"), "x"), "expected a string"},
      {container(one(info("[0]", 18446744073709551615U, 18446744073709551615U))), "inside the file"},
      {container(one(info("[2]", 0, 2, "BOOL")), std::string("\1\2", 2)), "to be 0 or 1"},
  };
  for (const auto& [bytes, part] : cases) {
    CAPTURE(bytes);
    check_refused([&] { open_bytes(dir, bytes); }, ErrorCode::Format, part);
  }
}

TEST_CASE("rejects element types that are not read, naming tensor and type") {
  const TempDir dir;
  for (const char* dtype : {"F8_E4M3", "F8_E5M2", "F8_E8M0", "F4", "C64"}) {
    check_refused([&] { open_bytes(dir, container("{\"a.b\":" + info("[1]", 0, 1, dtype) + "}", "x")); },
                  ErrorCode::Unsupported, std::string("tensor \"a.b\" has element type ") + dtype);
  }
}

TEST_CASE("rejects more tensors than the limit") {
  const TempDir dir;
  std::string header = "{";
  for (std::size_t i = 0; i <= kMaxTensors; ++i) {
    header +=
        (i == 0 ? "\"" : ",\"") + std::to_string(i) + "\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}";
  }
  check_refused([&] { open_bytes(dir, container(header + "}")); }, ErrorCode::Format, "expected at most");
}

// A model of two shards whose index can be changed.
struct ShardedModel {
  TempDir dir;
  Json index = {{"metadata", {{"total_size", 8}}},
                {"weight_map", {{"a", "m-1.safetensors"}, {"b", "m-2.safetensors"}}}};

  ShardedModel() {
    const float one = 1;
    write_safetensors(dir.file("m-1.safetensors"), {{"a", DType::F32, {}, &one}});
    write_safetensors(dir.file("m-2.safetensors"), {{"b", DType::F32, {}, &one}});
  }

  SafetensorsSet open() const {
    dir.write("model.safetensors.index.json", index.dump());
    return SafetensorsSet::open_directory(dir.path());
  }
};

TEST_CASE("a sharded model gives each tensor from its shard") {
  const ShardedModel model;
  const SafetensorsSet set = model.open();
  CHECK(set.files() == std::vector<std::string>{"m-1.safetensors", "m-2.safetensors"});
  CHECK(set.tensors().size() == 2);
  CHECK(set.tensors().at("b").file->name() == "m-2.safetensors");
  CHECK(set.tensors().at("b").entry->dtype == DType::F32);
  CHECK(set.warnings().empty());
}

TEST_CASE("a single file comes before an index, and a shard may be a link as in the Hugging Face cache") {
  const ShardedModel model;
  const TempDir blobs;
  std::filesystem::rename(model.dir.file("m-2.safetensors"), blobs.file("0123abcd"));
  std::filesystem::create_symlink(blobs.file("0123abcd"), model.dir.file("m-2.safetensors"));
  CHECK(model.open().tensors().size() == 2);
  const float one = 1;
  write_safetensors(model.dir.file("model.safetensors"), {{"only", DType::F32, {}, &one}});
  CHECK(model.open().tensors().size() == 1);
  CHECK(SafetensorsSet::open_file(model.dir.file("m-1.safetensors")).tensors().contains("a"));
}

TEST_CASE("a wrong total size is a warning, since nothing depends on it") {
  ShardedModel model;
  model.index["metadata"]["total_size"] = 9;
  CHECK(model.open().warnings().size() == 1);
}

TEST_CASE("rejects indexes that lead elsewhere or disagree with their shards") {
  const char* names[] = {"../m-2.safetensors",
                         "a/../../m-2.safetensors",
                         "..\\m-2.safetensors",
                         "/etc/m-2.safetensors",
                         "~/m-2.safetensors",
                         "%2e%2e/m-2.safetensors",
                         ".safetensors",
                         "..",
                         "m-2.bin",
                         "",
                         "m-2\n.safetensors",
                         "C:m-2.safetensors"};
  for (const char* name : names) {
    ShardedModel model;
    model.index["weight_map"]["b"] = name;
    CAPTURE(name);
    check_refused([&] { model.open(); }, ErrorCode::Format, "expected the name of a .safetensors file");
  }
  const auto refused_with = [](auto&& change, ErrorCode code, const char* part) {
    ShardedModel model;
    change(model.index);
    check_refused([&] { model.open(); }, code, part);
  };
  refused_with([](Json& index) { index["weight_map"]["b"] = 2; }, ErrorCode::Format, "expected a file name");
  refused_with([](Json& index) { index["weight_map"] = Json::array(); }, ErrorCode::Format, "expected an object");
  refused_with([](Json& index) { index["weight_map"] = Json::object(); }, ErrorCode::Format, "1 to 100000 tensors");
  refused_with([](Json& index) { index = Json::array(); }, ErrorCode::Format, "expected an object");
  refused_with([](Json& index) { index["weight_map"]["c"] = "m-1.safetensors"; }, ErrorCode::Format,
               "tensor \"c\" is not in m-1.safetensors");
  refused_with([](Json& index) { index["weight_map"]["b"] = "m-1.safetensors"; }, ErrorCode::Format,
               "tensor \"b\" is not in m-1.safetensors");
  refused_with([](Json& index) { index["weight_map"]["b"] = "m-3.safetensors"; }, ErrorCode::NotFound,
               "m-3.safetensors");
}

TEST_CASE("rejects a shard with tensors that the index does not list or lists elsewhere") {
  const float one = 1;
  ShardedModel unlisted;
  write_safetensors(unlisted.dir.file("m-2.safetensors"), {{"b", DType::F32, {}, &one}, {"c", DType::F32, {}, &one}});
  check_refused([&] { unlisted.open(); }, ErrorCode::Format, "tensor \"c\" of m-2.safetensors is not listed");
  ShardedModel twice;
  write_safetensors(twice.dir.file("m-2.safetensors"), {{"a", DType::F32, {}, &one}, {"b", DType::F32, {}, &one}});
  check_refused([&] { twice.open(); }, ErrorCode::Format, "listed for m-1.safetensors but is in m-2.safetensors");
}

TEST_CASE("rejects a directory without weights") {
  const TempDir dir;
  check_refused([&] { SafetensorsSet::open_directory(dir.path()); }, ErrorCode::NotFound, "found neither");
}

TEST_CASE("files of the safetensors library are read") {
  // tools/reference/peer.py, safetensors 0.8.0.
  const SafetensorsFile file(golden("peer/expected.safetensors"));
  const TensorEntry& weight = file.tensors().at("float32.0.weight");
  CHECK(weight.dtype == DType::F32);
  CHECK(weight.shape == std::vector<std::int64_t>{32, 24});
  float first = 0;
  std::memcpy(&first, file.data(weight), sizeof(first));
  CHECK(first == 0.2157747596502304F);
}

}  // namespace
}  // namespace brain3d::io
