#include "io/safetensors/safetensors.h"

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

TEST_CASE("S65: a wrong total size is a warning, since nothing depends on it") {
  ShardedModel model;
  model.index["metadata"]["total_size"] = 9;
  CHECK(model.open().warnings().size() == 1);
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
