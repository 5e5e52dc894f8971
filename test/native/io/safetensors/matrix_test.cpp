// Hostile and odd safetensors files and indexes by number: S01 to S65 of docs/hostile-files.md, each within the bounds
// of io/bounds.h. Up to S38 the safetensors library 0.8.0 refuses them too (tools/reference/hostile.py compares), S39
// to S45 it accepts, and from S46 on are brain3d's own limits and rules.
#include <functional>
#include <set>

#include "io/bounds.h"
#include "io/io_test_support.h"
#include "io/json.h"
#include "io/safetensors/safetensors.h"

namespace brain3d::io {
namespace {

using namespace std::string_literals;
using test::check_refused;
using test::raw;
using test::TempDir;

std::string container(const std::string& header, const std::string& data = "") {
  return raw(static_cast<std::uint64_t>(header.size())) + header + data;
}
std::string info(const std::string& shape, const std::string& begin, const std::string& end,
                 const std::string& dtype = "U8") {
  return R"({"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":[)" + begin + "," + end + "]}";
}
std::string one(const std::string& body, const std::string& data = "") {
  return container("{\"a\":" + body + "}", data);
}
std::string two(const std::string& a, const std::string& b, const std::string& data) {
  return container("{\"a\":" + a + ",\"b\":" + b + "}", data);
}
std::string named(const std::string& name) { return container("{\"" + name + "\":" + info("[0]", "0", "0") + "}"); }
std::string many(std::size_t count, const std::string& start, const std::string& value, const std::string& end) {
  std::string header = start;
  for (std::size_t i = 0; i < count; ++i) header += (i == 0 ? "\"" : ",\"") + std::to_string(i) + "\":" + value;
  return container(header + end);
}

struct Row {
  const char* id;
  const char* what;
  std::function<std::string()> bytes;
  ErrorCode code;
  const char* field;
  const char* part;
};

Row row(const char* id, const char* what, std::string bytes, const char* field, const char* part,
        ErrorCode code = ErrorCode::Format) {
  return {id, what, [bytes = std::move(bytes)] { return bytes; }, code, field, part};
}

std::vector<Row> header_rows() {
  return {
      row("S01", "an empty file", "", "header", "got only 0 bytes"),
      row("S02", "7 bytes", "1234567", "header", "got only 7 bytes"),
      row("S03", "a header of no bytes", raw(std::uint64_t{0}), "header", "begin with '{'"),
      row("S04", "a header longer than the file", raw(std::uint64_t{3}) + "{}", "header", "cut off"),
      row("S05", "a header of 2^63 bytes", raw(std::uint64_t{1} << 63) + "{}", "header", "header of at most"),
      row("S06", "a header of 2^64 - 1 bytes", raw(~std::uint64_t{0}) + "{}", "header", "header of at most"),
      row("S07", "a header of 100,000,001 bytes", raw(std::uint64_t{100'000'001}) + "{}", "header",
          "header of at most"),
      row("S08", "not UTF-8", container("{\"\xff\":1}"), "", "error at byte"),
      row("S09", "not JSON", container("{"), "", "error at byte"),
      row("S10", "a JSON array", container("[]"), "header", "begin with '{'"),
      row("S11", "null", container("null"), "header", "begin with '{'"),
      row("S12", "data without tensors", container("{}", "x"), "", "unexplained bytes follow"),
      row("S13", "data short by one", one(info("[2]", "0", "2"), "x"), "", "cut off"),
      row("S14", "data long by one", one(info("[2]", "0", "2"), "xyz"), "", "unexplained bytes follow"),
      row("S15", "a hole", two(info("[1]", "0", "1"), info("[1]", "2", "3"), "xyz"), "data_offsets", "gap"),
      row("S16", "a first offset that is not 0", one(info("[1]", "1", "2"), "xy"), "data_offsets", "gap"),
      row("S17", "an overlap", two(info("[2]", "0", "2"), info("[2]", "1", "3"), "xyz"), "data_offsets", "overlap"),
      row("S17", "one place for two", two(info("[2]", "0", "2"), info("[2]", "0", "2"), "xy"), "data_offsets",
          "overlap"),
      row("S18", "an end before the beginning", one(info("[1]", "2", "1"), "xy"), "data_offsets", "expected 1 bytes"),
      row("S19", "a negative offset", one(info("[1]", "-1", "0"), "x"), "data_offsets", "non-negative integers"),
      row("S20", "a shape of other bytes", one(info("[3]", "0", "2"), "xy"), "data_offsets", "expected 3 bytes"),
      row("S20", "a type of other bytes", one(info("[1]", "0", "1", "F32"), "x"), "data_offsets", "expected 4 bytes"),
      row("S21", "a product beyond 2^64", one(info("[1099511627776,1099511627776]", "0", "0")), "shape",
          "size in bytes below 2^64"),
      row("S22", "a negative axis", one(info("[-1]", "0", "1"), "x"), "shape", "non-negative integers"),
      row("S23", "a fractional axis", one(info("[1.0]", "0", "1"), "x"), "shape", "non-negative integers"),
      row("S24", "an offset of 1.6e1", one(info("[16]", "0", "1.6e1"), std::string(16, 'x')), "data_offsets",
          "non-negative integers"),
      row("S25", "an unknown type", one(info("[1]", "0", "1", "X9"), "x"), "dtype", "got \"X9\""),
      row("S26", "a type in lower case", one(info("[1]", "0", "1", "u8"), "x"), "dtype", "got \"u8\""),
      row("S27", "no type", one(R"({"shape":[1],"data_offsets":[0,1]})", "x"), "dtype", "it is missing"),
      row("S27", "no shape", one(R"({"dtype":"U8","data_offsets":[0,1]})", "x"), "shape", "it is missing"),
      row("S27", "no offsets", one(R"({"dtype":"U8","shape":[1]})", "x"), "data_offsets", "it is missing"),
      row("S28", "three offsets", one(R"({"dtype":"U8","shape":[1],"data_offsets":[0,1,1]})", "x"), "data_offsets",
          "two offsets"),
      row("S29", "metadata twice", container(R"({"__metadata__":{},"__metadata__":{}})"), "__metadata__",
          "appears twice"),
      row("S30", "metadata that are no strings", container(R"({"__metadata__":{"a":1}})"), "__metadata__",
          "expected a string for \"a\""),
      row("S31", "metadata that are a list", container(R"({"__metadata__":[]})"), "__metadata__", "object of strings"),
      row("S32", "a byte order mark", container("\xEF\xBB\xBF{}"), "header", "begin with '{'"),
      row("S33", "a NUL behind the header's object", container("{}\0"s), "", "NUL"),
      row("S34", "a letter behind it", container("{}x"), "", "error at byte"),
      row("S35", "200 levels", container("{\"a\":" + std::string(200, '[') + std::string(200, ']') + "}"), "",
          "nested levels"),
      row("S36", "100,000 levels", container("{\"a\":" + std::string(100'000, '[')), "", "nested levels"),
      row("S37", "a lone surrogate in a name", named("\\ud800"), "", "error at byte"),
      row("S38", "half a byte", one(info("[1]", "0", "1", "F4"), "x"), "dtype", "element type F4",
          ErrorCode::Unsupported),
  };
}

std::vector<Row> stricter_rows() {
  const std::string empty = info("[0]", "0", "0");
  return {
      row("S39", "a name twice, alike", container("{\"a\":" + empty + ",\"a\":" + empty + "}"), "a", "appears twice"),
      row("S40", "a name twice, otherwise",
          container("{\"a\":" + info("[1]", "0", "4", "F32") + ",\"a\":" + info("[1]", "0", "4", "I32") + "}", "1234"),
          "a", "appears twice"),
      row("S41", "white space first", container(" {}"), "header", "begin with '{'"),
      row("S42", "an empty name", named(""), "name", "expected tensor names"),
      row("S43", "NUL in a name", named("a\\u0000"), "name", "expected tensor names"),
      row("S43", "a line break in a name", named("a\\n"), "name", "expected tensor names"),
      row("S44", "no elements of 2^64 - 1 each", one(info("[0,18446744073709551615]", "0", "0")), "shape",
          "expected axes of at most"),
      row("S45", "a thousand axes",
          one(info(
                  "[1" +
                      [] {
                        std::string axes;
                        for (int i = 1; i < 1000; ++i) axes += ",1";
                        return axes;
                      }() +
                      "]",
                  "0", "1"),
              "x"),
          "shape", "at most 8 axes"),
  };
}

std::vector<Row> limit_rows() {
  const std::string empty = info("[0]", "0", "0");
  std::vector<Row> rows{
      row("S46", "a header beyond 16 MiB", raw((std::uint64_t{16} << 20) + 1) + "{}", "header", "header of at most"),
      {"S47", "a million empty tensors, beyond the header's limit",
       [] { return raw(std::uint64_t{50} << 20) + std::string(1 << 20, ' '); }, ErrorCode::Format, "header",
       "header of at most"},
      {"S47", "50,001 tensors", [=] { return many(kMaxTensors + 1, "{", empty, "}"); }, ErrorCode::Format, "header",
       "at most 50000 tensors, got 50001"},
      row("S48", "a name of 100,000 letters", named(std::string(100'000, 'n')), "name", "expected tensor names"),
      {"S49", "50,001 keys of metadata", [] { return many(kMaxTensors + 1, "{\"__metadata__\":{", "\"\"", "}}"); },
       ErrorCode::Format, "__metadata__", "at most 50000 entries"},
      {"S49", "a million keys of metadata", [] { return many(1'000'000, "{\"__metadata__\":{", "\"\"", "}}"); },
       ErrorCode::Format, "", "it has too many values and keys"},
      row("S50", "a BOOL of 2", one(info("[2]", "0", "2", "BOOL"), "\1\2"), "", "to be 0 or 1"),
      row("S52", "an axis of text", one(info("[\"1\"]", "0", "1"), "x"), "shape", "non-negative integers"),
      row("S52", "a shape of no list", one(info("1", "0", "1"), "x"), "shape", "expected an array"),
      row("S52", "a type of no text", one(R"({"dtype":8,"shape":[1],"data_offsets":[0,1]})", "x"), "dtype",
          "expected a string"),
      row("S52", "a tensor that is a number", container("{\"a\":1}"), "", "expected an object with dtype"),
      row("S53", "offsets that wrap", one(info("[0]", "18446744073709551615", "18446744073709551615")), "data_offsets",
          "inside the file"),
      row("S54", "nine axes", one(info("[1,1,1,1,1,1,1,1,1]", "0", "1"), "x"), "shape", "at most 8 axes"),
      row("S54", "no elements along 2^40 + 1", one(info("[0,1099511627777]", "0", "0")), "shape",
          "expected axes of at most"),
  };
  for (const char* dtype : {"F8_E4M3", "F8_E5M2", "F8_E8M0", "F4", "C64"}) {
    rows.push_back(row("S51", dtype, one(info("[1]", "0", "1", dtype), "x"), "dtype", dtype, ErrorCode::Unsupported));
  }
  return rows;
}

std::set<std::string> run(const std::vector<Row>& rows) {
  std::set<std::string> ids;
  for (const Row& row : rows) {
    CAPTURE(row.id);
    CAPTURE(row.what);
    const TempDir dir;
    const std::string path = dir.write("f.safetensors", row.bytes());
    const std::string intact = dir.write("intact.safetensors", one(info("[1]", "0", "1"), "x"));
    const test::Bounds bounds;
    check_refused([&] { SafetensorsFile{path}; }, row.code, row.part, row.field);
    bounds.check();
    CHECK(SafetensorsFile(intact).tensors().size() == 1);  // the process goes on as before
    ids.insert(row.id);
  }
  return ids;
}

void check_numbers(const std::set<std::string>& ids, int first, int last) {
  for (int number = first; number <= last; ++number) {
    const std::string id = concat("S", number < 10 ? "0" : "", number);
    CAPTURE(id);
    CHECK(ids.contains(id));
  }
}

TEST_CASE("hostile safetensors files S01 to S54") {
  check_numbers(run(header_rows()), 1, 38);
  check_numbers(run(stricter_rows()), 39, 45);
  check_numbers(run(limit_rows()), 46, 54);
}

TEST_CASE("S55: files at the edge of the format are accepted") {
  const TempDir dir;
  const std::string ok[] = {
      container("{}"),
      container("{}      "),
      container(R"({"__metadata__":{}})"),
      one(info("[]", "0", "1"), "x"),
      two(info("[0,5]", "0", "0"), info("[1]", "0", "1"), "x"),
      container("{\"../../etc/passwd\":" + info("[1]", "0", "1") + "}", "x"),
      one(info("[2]", "0", "2", "BOOL"), "\0\1"s),
  };
  for (const std::string& bytes : ok) CHECK_NOTHROW(SafetensorsFile{dir.write("f.safetensors", bytes)});
  const std::string extra = R"({"dtype":"U8","shape":[1],"data_offsets":[0,1],"note":1})";
  CHECK(SafetensorsFile(dir.write("f.safetensors", one(extra, "x"))).warnings().size() == 1);
}

// An index over two shards, changed, and what must be said of it.
struct IndexRow {
  const char* id;
  const char* what;
  std::function<void(Json&, const TempDir&)> change;
  ErrorCode code;
  const char* part;
};

TEST_CASE("hostile safetensors indexes S56 to S64") {
  const float number = 1;
  std::vector<IndexRow> rows;
  for (const char* name : {"../m-2.safetensors", "a/../../m-2.safetensors", "..\\m-2.safetensors",
                           "/etc/m-2.safetensors", "~/m-2.safetensors", "%2e%2e/m-2.safetensors", ".safetensors", "..",
                           "m-2.bin", "", "m-2\n.safetensors", "C:m-2.safetensors"}) {
    rows.push_back({"S56", name, [=](Json& index, const TempDir&) { index["weight_map"]["b"] = name; },
                    ErrorCode::Format, "expected the name of a .safetensors file"});
  }
  const auto add = [&](const char* id, const char* what, std::function<void(Json&, const TempDir&)> change,
                       const char* part, ErrorCode code = ErrorCode::Format) {
    rows.push_back({id, what, std::move(change), code, part});
  };
  add(
      "S57", "a missing shard", [](Json& index, const TempDir&) { index["weight_map"]["b"] = "m-3.safetensors"; },
      "m-3.safetensors", ErrorCode::NotFound);
  add(
      "S58", "a tensor that its shard does not have",
      [](Json& index, const TempDir&) { index["weight_map"]["c"] = "m-1.safetensors"; },
      "tensor \"c\" is not in m-1.safetensors");
  add(
      "S58", "a tensor that another shard has",
      [](Json& index, const TempDir&) { index["weight_map"]["b"] = "m-1.safetensors"; },
      "tensor \"b\" is not in m-1.safetensors");
  add(
      "S59", "a tensor in two shards",
      [&](Json&, const TempDir& dir) {
        write_safetensors(dir.file("m-2.safetensors"),
                          {{"a", DType::F32, {}, &number}, {"b", DType::F32, {}, &number}});
      },
      "listed for m-1.safetensors but is in m-2.safetensors");
  add(
      "S60", "a tensor that is not listed",
      [&](Json&, const TempDir& dir) {
        write_safetensors(dir.file("m-2.safetensors"),
                          {{"b", DType::F32, {}, &number}, {"c", DType::F32, {}, &number}});
      },
      "tensor \"c\" of m-2.safetensors is not listed");
  add(
      "S61", "a number for a shard", [](Json& index, const TempDir&) { index["weight_map"]["b"] = 2; },
      "expected a file name");
  add(
      "S61", "a list for a map", [](Json& index, const TempDir&) { index["weight_map"] = Json::array(); },
      "expected an object");
  add(
      "S61", "a list for the index", [](Json& index, const TempDir&) { index = Json::array(); }, "expected an object");
  add(
      "S62", "no tensors", [](Json& index, const TempDir&) { index["weight_map"] = Json::object(); },
      "1 to 50000 tensors");
  add(
      "S63", "more shards than a model has",
      [](Json& index, const TempDir&) {
        for (int i = 0; i < 1001; ++i) index["weight_map"][concat("t", i)] = concat("m-", i, ".safetensors");
      },
      "at most 1000 files");
  std::set<std::string> ids;
  for (const IndexRow& row : rows) {
    CAPTURE(row.id);
    CAPTURE(row.what);
    const TempDir dir;
    write_safetensors(dir.file("m-1.safetensors"), {{"a", DType::F32, {}, &number}});
    write_safetensors(dir.file("m-2.safetensors"), {{"b", DType::F32, {}, &number}});
    Json index = {{"metadata", {{"total_size", 8}}},
                  {"weight_map", {{"a", "m-1.safetensors"}, {"b", "m-2.safetensors"}}}};
    row.change(index, dir);
    dir.write("model.safetensors.index.json", index.dump());
    const test::Bounds bounds;
    check_refused([&] { SafetensorsSet::open_directory(dir.path()); }, row.code, row.part,
                  row.code == ErrorCode::NotFound ? "" : "weight_map");
    bounds.check();
    ids.insert(row.id);
  }
  const TempDir empty;
  check_refused([&] { SafetensorsSet::open_directory(empty.path()); }, ErrorCode::NotFound, "found neither");
  ids.insert("S64");
  check_numbers(ids, 56, 64);
}

}  // namespace
}  // namespace brain3d::io
