// Refusals that no other table has: what the coverage of the parsers (`npm run coverage:parsers`) showed to be
// unreached.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <limits>
#include <string>

#include "io/file.h"
#include "io/gzip.h"
#include "io/json.h"
#include "io/safetensors/safetensors.h"
#include "io/text.h"
#include "io/torch_zip/pickle.h"
#include "io/torch_zip/torch_file.h"
#include "io/torch_zip/torch_file_builder.h"
#include "io/torch_zip/zip.h"

namespace brain3d::io {
namespace {

using namespace std::string_literals;
using test::check_refused;
using test::end_record;
using test::global;
using test::kOrderedDict;
using test::pickle_of;
using test::raw;
using test::TempDir;
using test::TensorCode;
using test::unicode;
using test::zip;
using test::zip64_records;
using test::zip_body;
using test::ZipPart;

TEST_CASE("text: every kind of character that is not shown, and both ends of what is UTF-8") {
  for (const char* hidden : {"\x1b", "\x7f", "\xc2\x80", "\xc2\x9f", "\xe2\x80\x8e", "\xe2\x80\x8f", "\xe2\x80\xa8",
                             "\xe2\x80\xae", "\xe2\x81\xa6", "\xe2\x81\xa9", "\xd8\x9c", "\xef\xbb\xbf"}) {
    CHECK(printable(hidden).starts_with("\\x"));
  }
  for (const char* shown : {" ", "~", "\xc2\xa0", "\xe2\x80\x8d", "\xe2\x80\x90", "\xe2\x80\xa7", "\xe2\x80\xaf",
                            "\xe2\x81\xa5", "\xe2\x81\xaa", "\xef\xbb\xbe"}) {
    CHECK(printable(shown) == shown);
  }
  for (const char* bad :
       {"\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf", "\xed\xbf\xbf", "\xf4\x90\x80\x80", "\xc3", "\xe2\x28\xa1"}) {
    CHECK_FALSE(is_utf8(bad));
  }
  for (const char* good : {"\xe0\xa0\x80", "\xf0\x90\x80\x80", "\xed\x9f\xbf", "\xee\x80\x80", "\xf4\x8f\xbf\xbf"}) {
    CHECK(is_utf8(good));
  }
  CHECK(has_control_characters("a\x7f"));
  CHECK_FALSE(has_control_characters("a b"));
}

TEST_CASE("files: a device, a descriptor that is replaced, a mapping for which there is no room") {
  check_refused([] { File{"/dev/null"}; }, ErrorCode::Format, "got a device");
  Descriptor one(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const int replaced = one.get();
  one = Descriptor(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  CHECK(::fcntl(replaced, F_GETFD) == -1);
  Descriptor& same = one;
  one = std::move(same);
  CHECK(::fcntl(one.get(), F_GETFD) != -1);

  const Descriptor huge(::memfd_create("huge", MFD_CLOEXEC));
  REQUIRE(::ftruncate(huge.get(), std::int64_t{1} << 60) == 0);
  check_refused([&] { MappedFile{"/proc/self/fd/" + std::to_string(huge.get())}; }, ErrorCode::OutOfMemory,
                "cannot map it into memory");
}

TEST_CASE("files: a name without a folder is one in the current folder, and no name is ever waited for") {
  const TempDir dir;
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(dir.path());
  AtomicFile file("x.bin");
  file.write("x", 1);
  file.commit();
  // Another process may have left temporary files behind; after a hundred of them it is given up.
  constexpr int kMoreThanTests = 5000;
  const std::string start = ".brain3d-" + std::to_string(::getpid()) + "-";
  for (int i = 0; i < kMoreThanTests; ++i) dir.write(start + std::to_string(i) + ".partial", "");
  check_refused([] { AtomicFile{"y.bin"}; }, ErrorCode::Io, "cannot create a temporary file beside it");
  std::filesystem::current_path(before);
  CHECK(std::filesystem::exists(dir.file("x.bin")));
  check_refused([&] { AtomicFile{dir.file(".")}; }, ErrorCode::Usage, "expected the path of a file");
}

TEST_CASE("gzip: levels that there are not") {
  for (const int level : {-1, 10}) {
    check_refused([=] { gzip_compress("x", level); }, ErrorCode::Usage, "a level of 0 to 9");
  }
}

PickleDocument run(const std::string& text) {
  return read_pickle(std::as_bytes(std::span(text.data(), text.size())), "p.pt");
}

TEST_CASE("pickle: tuples of three, long memo indexes, values that are set twice, parameters") {
  const auto document =
      run(pickle_of("}" + unicode("a") + "NNN\x87" + "r" + raw(0U) + "s" + unicode("b") + "j" + raw(0U) + "s" +
                    unicode("c") + "\x8a\x08" + raw(std::int64_t{-1}) + "s" + unicode("d") + "NN\x86q\x00s"s));
  const auto& entries = document.root.get<PickleDict>()->entries;
  CHECK(entries.at("a").get<PickleTuple>()->size() == 3);
  CHECK(entries.at("b").get<PickleTuple>() == entries.at("a").get<PickleTuple>());
  CHECK(*entries.at("c").get<std::int64_t>() == -1);
  CHECK(entries.at("d").get<PickleTuple>()->size() == 2);

  const std::string parameter = global("torch._utils", "_rebuild_parameter");
  const auto wrapped = run(pickle_of(parameter + "(" + TensorCode{}.code() + "\x88" + kOrderedDict + "tR"));
  CHECK(wrapped.root.get<PickleTensor>()->shape == std::vector<std::int64_t>{2, 3});
  check_refused([&] { run(pickle_of(parameter + "(" + TensorCode{}.code() + "\x88tR")); }, ErrorCode::Format,
                "expected a parameter's tensor");
}

TEST_CASE("pickle: each part of a storage and of a tensor, one wrong at a time") {
  const auto refused = [](const std::string& body, std::string_view part) {
    CAPTURE(part);
    check_refused([&] { run(pickle_of(body)); }, ErrorCode::Format, part, "data.pkl");
  };
  const std::string parts[] = {unicode("storage"), global("torch", "FloatStorage"), unicode("0"), unicode("cpu"),
                               "K\x06"};
  for (std::size_t wrong = 0; wrong < std::size(parts); ++wrong) {
    std::string id = "(";
    for (std::size_t i = 0; i < std::size(parts); ++i) id += i == wrong ? "N" : parts[i];
    refused(id + "tQ", "expected (\"storage\"");
  }
  refused("(" + unicode("stowage") + parts[1] + parts[2] + parts[3] + parts[4] + "tQ", "expected (\"storage\"");

  const TensorCode good;
  const std::string fields[] = {good.storage(), good.offset, good.shape, good.strides};
  for (std::size_t wrong = 0; wrong < std::size(fields); ++wrong) {
    std::string tensor = global("torch._utils", "_rebuild_tensor_v2") + "(";
    for (std::size_t i = 0; i < std::size(fields); ++i) tensor += i == wrong ? "N" : fields[i];
    refused(tensor + "\x89" + kOrderedDict + "tR", "storage, offset, shape and strides");
  }
  refused(TensorCode{.strides = "NN\x86"}.code(), "expected integers");
  refused(global("collections", "OrderedDict") + "NR", "expected a known name");
  refused("NNb", "only an OrderedDict may carry attributes");
  refused("j" + raw(7U), "memo index 7 was never set");
  check_refused([] { run(pickle_of(global("torch._utils", "_rebuild_qtensor"))); }, ErrorCode::Unsupported,
                "torch._utils._rebuild_qtensor");
}

std::string archive_of(const std::string& pickle, const std::string& storage = std::string(24, '\0'),
                       const std::string& byte_order = "little") {
  return zip({{.name = "p/data.pkl", .contents = pickle},
              {.name = "p/byteorder", .contents = byte_order},
              {.name = "p/data/0", .contents = storage}});
}

std::string state_of(const std::string& tensors) {
  return pickle_of("}" + unicode("vision_projector") + kOrderedDict + tensors + "s");
}

TEST_CASE("authors' files: sizes that wrap, too many tensors, another byte order, too large a pickle") {
  const TempDir dir;
  const auto refused = [&](const std::string& bytes, ErrorCode code, std::string_view part) {
    CAPTURE(part);
    check_refused([&] { read_peer_projector(dir.write("p.pt", bytes)); }, code, part);
  };
  const auto one = [](const TensorCode& tensor) { return state_of(unicode("0.weight") + tensor.code() + "s"); };
  const std::string far = "\x8a\x08" + raw(std::int64_t{1} << 62);
  const char* misfit = "shape does not fit its storage";
  refused(archive_of(one({.strides = far + "K\x01\x86"})), ErrorCode::Format, misfit);
  refused(archive_of(one({.shape = "K\x06\x85", .strides = far + "\x85"})), ErrorCode::Format, misfit);
  // The last element's index exceeds 2^64 at the second axis, before another one and at the end.
  refused(
      archive_of(
          one({.count = "K\x1b", .offset = far, .shape = "K\x03K\x03K\x03\x87", .strides = far + far + far + "\x87"}),
          std::string(108, '\0')),
      ErrorCode::Format, misfit);
  refused(archive_of(one({.count = "K\x09", .offset = far, .shape = "K\x03K\x03\x86", .strides = far + far + "\x86"}),
                     std::string(36, '\0')),
          ErrorCode::Format, misfit);
  // Negative where nothing would be read by it: an offset of no elements, the stride of an axis of length 1.
  const std::string minus_one = "J\xff\xff\xff\xff";
  refused(archive_of(one({.offset = minus_one, .shape = "K\0K\x03\x86"s})), ErrorCode::Format, misfit);
  refused(archive_of(one({.shape = "K\x01K\x06\x86", .strides = minus_one + "K\x01\x86"})), ErrorCode::Format, misfit);

  std::string many;
  for (int i = 0; i < 17; ++i) many += unicode(std::to_string(i)) + TensorCode{}.code() + "s";
  refused(archive_of(state_of(many)), ErrorCode::Format, "it has 17 tensors");
  for (const char* order : {"biggie", "big"}) {
    refused(archive_of(one({}), std::string(24, '\0'), order), ErrorCode::Unsupported, "expected a little-endian file");
  }
  refused(archive_of(std::string(kMaxPickleBytes + 1, 'N')), ErrorCode::Format, "at most 8388608 bytes of pickle");
  refused("PK", ErrorCode::Unsupported, "expected a zip archive");
  CHECK(read_peer_projector(dir.write("p.pt", archive_of(one({})))).state.size() == 1);
}

TEST_CASE("zip: names, places and sizes at their limits") {
  const TempDir dir;
  const auto refused = [&](const std::string& bytes, std::string_view part) {
    CAPTURE(part);
    check_refused([&] { ZipArchive{dir.write("z.pt", bytes)}; }, ErrorCode::Format, part, "archive");
  };
  const ZipPart folder{.name = "a/", .contents = ""};
  const ZipPart longest{.name = std::string(kMaxZipNameBytes, 'n'), .contents = "x"};
  CHECK(ZipArchive(dir.write("z.pt", zip({folder, longest}))).entries().size() == 2);
  refused(zip({{.name = std::string(kMaxZipNameBytes + 1, 'n'), .contents = ""}}), "empty or too long");
  refused(zip({{.name = "/", .contents = ""}}), "leaves its directory");

  // The local header, with one of its fields changed.
  const ZipPart part{.name = "a/x", .contents = "hello"};
  for (const std::size_t field : {std::size_t{14}, std::size_t{18}, std::size_t{22}}) {
    std::string bytes = zip({part});
    bytes[field] ^= 1;
    refused(bytes, "disagree with the directory");
  }
  std::string compressed = zip({part});
  compressed[8] = 8;
  refused(compressed, "disagrees with the directory");
  std::string flagged = zip({part});
  flagged[6] = 2;
  refused(flagged, "disagrees with the directory");

  const std::string directory = central_header(part, 0);
  const auto bytes = static_cast<std::uint32_t>(directory.size());
  refused(std::string(10, 'P') + directory + end_record(1, bytes, 10), "an entry lies outside of the archive");
  refused(std::string(40, 'P') + directory + end_record(1, bytes, 40), "does not fit its place");
  refused(std::string((std::size_t{4} << 20) + 1, 'x') + end_record(1, (4U << 20) + 1, 0), "at most 4096 entries");
  refused(directory.substr(0, 47) + end_record(1, 47, 0), "a directory record is cut off");
  std::string elsewhere = zip({part});
  elsewhere[elsewhere.size() - 22 + 4] = 1;
  refused(elsewhere, "one part of several");

  // Offset and size add up to the end record's place only because they wrap.
  const std::string wrapped = zip64_records(1, ~std::uint64_t{0}, 1);
  refused(wrapped + end_record(0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF), "does not end at the end record");
  std::string malformed = zip64_records(0, 0, 0);
  malformed[4] = 45;
  refused(malformed + end_record(0, 0, 0), "zip64 end record is malformed");
}

TEST_CASE("zip: an entry whose place stands in a zip64 field") {
  const TempDir dir;
  ZipPart part{.name = "a/x", .contents = "hello"};
  part.header_offset = 0xFFFFFFFF;
  part.central_extra = raw(std::uint16_t{1}) + raw(std::uint16_t{8}) + raw(std::uint64_t{0});
  CHECK(ZipArchive(dir.write("z.pt", zip({part}))).entries().size() == 1);
  part.central_extra = raw(std::uint16_t{1}) + raw(std::uint16_t{8}) + raw(~std::uint64_t{0});
  check_refused([&] { ZipArchive{dir.write("z.pt", zip({part}))}; }, ErrorCode::Format, "unexplained bytes", "a/x");
}

TEST_CASE("safetensors: tensors of more than 2^64 bytes in all, metadata that is no text, warnings of shards") {
  const TempDir dir;
  const float value = 1;
  const std::vector<std::int64_t> half{std::int64_t{1} << 40, std::int64_t{1} << 20};
  check_refused(
      [&] {
        write_safetensors(dir.file("w"), {{"a", DType::F64, half, &value}, {"b", DType::F64, half, &value}});
      },
      ErrorCode::Usage, "exceed 2^64 bytes");
  check_refused([&] { write_safetensors(dir.file("w"), {}, {{"\xff", "v"}}); }, ErrorCode::Usage, "metadata in UTF-8");
  const std::string header = R"({"a":{"dtype":"U8","shape":[],"data_offsets":[0,1],"note":1}})";
  dir.write("m.safetensors", raw(std::uint64_t{header.size()}) + header + "x");
  const Json map = {{"a", "m.safetensors"}};
  for (const Json& metadata : {Json::object(), Json{{"total_size", "1"}}, Json(1)}) {
    dir.write("model.safetensors.index.json", Json{{"weight_map", map}, {"metadata", metadata}}.dump());
    const SafetensorsSet set = SafetensorsSet::open_directory(dir.path());
    CHECK(set.warnings() == std::vector<std::string>{"m.safetensors: tensor \"a\" has unknown fields"});
  }
  for (const std::string& name : {std::string(300, 'n') + ".safetensors", ".safetensors"s, ""s, "m.bin"s}) {
    dir.write("model.safetensors.index.json", Json{{"weight_map", {{"a", name}}}}.dump());
    check_refused([&] { SafetensorsSet::open_directory(dir.path()); }, ErrorCode::Format, "in the same directory",
                  "weight_map");
  }
}

}  // namespace
}  // namespace brain3d::io
