// Hostile .pt files by number: P01 to P28 of docs/hostile-files.md, each refused within 200 ms of processor time and
// the bounds of io/bounds.h, without a file made. What each part of the readers refuses besides: pickle_test.cpp,
// zip_test.cpp, torch_file_test.cpp.
#include <ctime>
#include <set>

#include "io/bounds.h"
#include "io/torch_zip/torch_file.h"
#include "io/torch_zip/torch_file_builder.h"

namespace brain3d::io {
namespace {

using namespace std::string_literals;
using test::check_refused;
using test::global;
using test::kOrderedDict;
using test::pickle_of;
using test::raw;
using test::TempDir;
using test::TensorCode;
using test::unicode;
using test::zip;
using test::ZipPart;

/// A fifth of a second, of code that is unoptimised here and whose every access is checked.
constexpr double kMaxSeconds = 0.8;

struct Row {
  const char* id;
  const char* what;
  std::string bytes;
  ErrorCode code;
  const char* part;
};

std::string archive(const std::string& pickle, const std::string& storage = std::string(24, '\0')) {
  return zip({{.name = "p/data.pkl", .contents = pickle}, {.name = "p/data/0", .contents = storage}});
}
std::string state(const TensorCode& tensor) {
  return pickle_of("}" + unicode("vision_projector") + kOrderedDict + unicode("0.weight") + tensor.code() + "ss");
}
std::string calls(const std::string& module, const std::string& name) {
  return archive(pickle_of(global(module, name) + "(" + unicode("touch pwned") + "tR"));
}

std::vector<Row> rows() {
  constexpr auto kFormat = ErrorCode::Format;
  constexpr auto kUnsupported = ErrorCode::Unsupported;
  const std::string huge = "\x8a\x08" + raw(std::int64_t{1} << 62);
  const std::string negative = "J\xff\xff\xff\xff";
  std::string eight = "(";
  for (int i = 0; i < 8; ++i) eight += "J" + raw(std::int32_t{0x7FFFFFFF});
  const std::string whole = archive(state({}));
  ZipPart squeezed{.name = "p/data.pkl", .contents = pickle_of("}"), .method = 8};
  ZipPart wrong{.name = "p/data.pkl", .contents = pickle_of("}")};
  wrong.crc ^= 1;
  ZipPart over{.name = "p/data/1", .contents = "x"};
  over.header_offset = 0;
  return {
      {"P01", "posix.system", calls("posix", "system"), kUnsupported, "posix.system"},
      {"P02", "builtins.eval", calls("builtins", "eval"), kUnsupported, "builtins.eval"},
      {"P03", "torch.jit", calls("torch.jit", "load"), kUnsupported, "torch.jit.load"},
      {"P04", "nt.system", calls("nt", "system"), kUnsupported, "nt.system"},
      {"P05", "numpy's arrays", calls("numpy.core.multiarray", "_reconstruct"), kUnsupported, "_reconstruct"},
      {"P06", "os.path.join", calls("os", "path.join"), kUnsupported, "os.path.join"},
      {"P07", "torch's format before 1.6",
       "\x80\x02\x8a\nl\xfc\x9c"
       "F\xf9 j\xa8P\x19.",
       kUnsupported, "torch 1.6"},
      {"P08", "a whole module", calls("torch.nn.modules.container", "Sequential"), kUnsupported, "Sequential"},
      {"P09", "a pickle cut off", archive(state({}).substr(0, 60)), kFormat, "it ends early"},
      {"P10", "a memo that was never set", archive(pickle_of("h\x05")), kFormat, "memo index 5 was never set"},
      {"P11", "an empty stack", archive(pickle_of("s")), kFormat, "takes a value that is not there"},
      {"P12", "no mark", archive(pickle_of("t")), kFormat, "lacks a mark"},
      {"P13", "a text of 4 GiB", archive(pickle_of("X\xff\xff\xff\xffhi")), kFormat, "ends early"},
      {"P14", "a text of 2^40 bytes", archive(pickle_of("\x8d" + raw(std::uint64_t{1} << 40))), kUnsupported,
       "opcode 0x8d"},
      {"P15", "a memo of 4 billion", archive(pickle_of("Nr\xf0\xff\xff\xff")), kFormat, "is out of order"},
      {"P16", "300,000 nested lists", archive(pickle_of(std::string(300'000, ']') + std::string(300'000, 'a'))),
       kUnsupported, "opcode 0x5d"},
      {"P17", "a storage shorter than its elements", archive(state({}), "1234"), kFormat,
       "storage is missing or has another size"},
      {"P18", "a missing storage", archive(state({.key = unicode("9")})), kFormat, "storage is missing"},
      {"P19", "a negative offset", archive(state({.offset = negative})), kFormat, "shape does not fit"},
      {"P19", "a negative stride", archive(state({.strides = negative + "K\x01\x86"})), kFormat, "shape does not fit"},
      {"P19", "an offset of 2^62", archive(state({.offset = huge})), kFormat, "shape does not fit"},
      {"P20", "eight axes of 2^31 - 1", archive(state({.shape = eight + "t", .strides = eight + "t"})), kFormat,
       "shape does not fit"},
      {"P21", "a compressed entry", zip({squeezed}), kUnsupported, "is compressed"},
      {"P22", "two entries of one name", zip({{.name = "p/x", .contents = "1"}, {.name = "p/x", .contents = "2"}}),
       kFormat, "two entries are called"},
      {"P23", "a name that leaves the folder", zip({{.name = "../x", .contents = "1"}}), kFormat,
       "leaves its directory"},
      {"P24", "entries that overlap", zip({{.name = "p/data/0", .contents = "x"}, over}), kFormat, "overlaps"},
      {"P25", "zip64 records that say otherwise",
       whole.substr(0, whole.size() - 22) + test::zip64_records(9, 0, 0) + whole.substr(whole.size() - 22), kFormat,
       ""},
      {"P26", "a wrong checksum", zip({wrong}), kFormat, "checksum is wrong"},
      {"P27", "70,000 entries", test::zip64_records(70'000, 0, 0) + test::end_record(0xFFFF, 0, 0), kUnsupported,
       "torch 1.6"},
      {"P27", "70,000 entries behind one",
       zip({{.name = "p/x", .contents = "1"}}) + test::zip64_records(70'000, 0, 84) + test::end_record(0xFFFF, 0, 84),
       kFormat, ""},
      {"P28", "a second end record", whole + test::end_record(0, 0, static_cast<std::uint32_t>(whole.size())), kFormat,
       "unexplained bytes before the central"},
  };
}

TEST_CASE("hostile .pt files P01 to P28") {
  std::set<std::string> ids;
  for (const Row& row : rows()) {
    CAPTURE(row.id);
    CAPTURE(row.what);
    const TempDir dir;
    const std::string path = dir.write("projector_vis_scale.pt", row.bytes);
    const test::Bounds bounds;
    const std::clock_t start = std::clock();
    check_refused(
        [&] {
          try {
            read_peer_projector(path);
          } catch (const Error& error) {
            CHECK(error.detail().file == "projector_vis_scale.pt");
            CHECK_FALSE(error.detail().field.empty());
            throw;
          }
        },
        row.code, row.part);
    CHECK(static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC < kMaxSeconds);
    bounds.check();
    // Nothing was made beside the file, and the process goes on as before.
    CHECK(std::distance(std::filesystem::directory_iterator(dir.path()), {}) == 1);
    CHECK(read_peer_projector(dir.write("intact.pt", archive(state({})))).state.size() == 1);
    ids.insert(row.id);
  }
  for (int number = 1; number <= 28; ++number) CHECK(ids.contains(concat("P", number < 10 ? "0" : "", number)));
}

}  // namespace
}  // namespace brain3d::io
