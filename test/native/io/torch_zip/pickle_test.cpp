#include "io/torch_zip/pickle.h"

#include <span>
#include <string>

#include "io/torch_zip/torch_file_builder.h"

namespace brain3d::io {
namespace {

using namespace std::string_literals;
using test::big_endian;
using test::check_refused;
using test::global;
using test::kOrderedDict;
using test::pickle_of;
using test::raw;
using test::TensorCode;
using test::unicode;

PickleDocument run(const std::string& text) {
  return read_pickle(std::as_bytes(std::span(text.data(), text.size())), "p.pt");
}

TEST_CASE("plain values of a pickle come out as they went in") {
  const PickleDocument document =
      run(pickle_of("}(" + unicode("i") + "J" + raw(-5) + unicode("f") + "G" + big_endian(0.73) + unicode("n") + "N" +
                    unicode("t") + "\x88" + unicode("l") + "\x8a\x02\x00\xff"s + unicode("m") + "M\xff\xff" +
                    unicode("z") + std::string("\x8a\x00", 2) + "u"));
  const auto& entries = document.root.get<PickleDict>()->entries;
  CHECK(*entries.at("i").get<std::int64_t>() == -5);
  CHECK(*entries.at("f").get<double>() == 0.73);
  CHECK(entries.at("n").get<PickleNone>() != nullptr);
  CHECK(*entries.at("t").get<bool>());
  CHECK(*entries.at("l").get<std::int64_t>() == -256);
  CHECK(*entries.at("m").get<std::int64_t>() == 65535);
  CHECK(*entries.at("z").get<std::int64_t>() == 0);
}

TEST_CASE("a dictionary in itself is harmless") {
  const PickleDocument document = run(pickle_of("}q\x00"s + unicode("me") + "h\x00s"s));
  CHECK(document.root.get<PickleDict>()->entries.at("me").get<PickleDict>() == document.root.get<PickleDict>());
}

TEST_CASE("rejects names that could run something, naming them") {
  const std::pair<const char*, const char*> names[] = {{"posix", "system"},
                                                       {"os", "system"},
                                                       {"builtins", "eval"},
                                                       {"__builtin__", "getattr"},
                                                       {"torch.jit", "load"},
                                                       {"nt", "system"},
                                                       {"os", "path.join"},
                                                       {"numpy.core.multiarray", "_reconstruct"},
                                                       {"torch", "Tensor"},
                                                       {"collections", "Counter"},
                                                       {"torch.nn.modules.container", "Sequential"},
                                                       {"torch", "QInt8Storage"}};
  for (const auto& [module, name] : names) {
    check_refused([&] { run(pickle_of(global(module, name) + "(" + unicode("echo pwned") + "tR")); },
                  ErrorCode::Unsupported, std::string(module) + "." + name);
  }
  check_refused([] { run(pickle_of(global("a\x1b[31m", "b"))); }, ErrorCode::Unsupported, "a\\x1b[31m.b");
}

TEST_CASE("rejects every opcode outside the set by its number") {
  const std::string allowed = "(N\x88\x89JKM\x8aGX})t\x85\x86\x87qrhjcRbQsu.";
  for (int byte = 0; byte < 256; ++byte) {
    if (allowed.find(static_cast<char>(byte)) != std::string::npos) continue;
    CAPTURE(byte);
    check_refused([&] { run(pickle_of("N" + std::string(1, static_cast<char>(byte)))); }, ErrorCode::Unsupported,
                  "pickle opcode 0x");
  }
  check_refused([] { run(pickle_of(std::string(600'000, ']') + std::string(600'000, 'a'))); }, ErrorCode::Unsupported,
                "opcode 0x5d");
}

TEST_CASE("rejects malformed pickles") {
  const std::pair<std::string, const char*> cases[] = {
      {"", "ends early"},
      {"\x80\x04N.", "protocol 2"},
      {"N.", "protocol 2"},
      {"\x80\x02", "ends early"},
      {"\x80\x02N", "ends early"},
      {"\x80\x02.", "takes a value that is not there"},
      {pickle_of("NN"), "something follows"},
      {pickle_of("N") + "x", "something follows"},
      {pickle_of("(N"), "something follows"},
      {pickle_of("t"), "lacks a mark"},
      {pickle_of("u"), "lacks a mark"},
      {pickle_of("N(\x85"), "takes a value that is not there"},
      {pickle_of("h\x05"), "memo index 5 was never set"},
      {pickle_of("Nq\x05"), "memo index 5 is out of order"},
      {pickle_of("Nr\xf0\xff\xff\xff"), "memo index 4294967280 is out of order"},
      {pickle_of("q\x00"s), "takes a value that is not there"},
      {pickle_of("X\xff\xff\xff\xffhi"), "ends early"},
      {pickle_of("X\x01\x00\x00\x00\xff"s), "strings in UTF-8"},
      {pickle_of("\x8a\x09" + std::string(9, '\1')), "at most 8 bytes"},
      {pickle_of("ctorch"), "ends early"},
      {pickle_of("}K\x01K\x02s"), "expected strings as keys"},
      {pickle_of("}(" + unicode("a") + "u"), "a key lacks its value"},
      {pickle_of("N(" + unicode("a") + "Nu"), "expected a dictionary"},
      {pickle_of("}(" + unicode("a") + "N" + unicode("a") + "Nu"), "comes twice"},
      {pickle_of("}}b"), "only an OrderedDict may carry"},
      {pickle_of("Nb"), "lacks a value to build"},
      {pickle_of("N(Nb"), "lacks a value to build"},
      {pickle_of(global("torch", "FloatStorage") + ")R"), "expected a known name"},
      {pickle_of("N)R"), "expected a known name"},
      {pickle_of(global("collections", "OrderedDict") + "N\x85R"), "empty OrderedDict"},
      {pickle_of(global("torch._utils", "_rebuild_tensor_v2") + ")R"), "tensor of six parts"},
      {pickle_of(global("torch._utils", "_rebuild_tensor_v2") + "(NNNNNNtR"), "storage, offset, shape"},
      {pickle_of(global("torch._utils", "_rebuild_parameter") + "(NNNtR"), "parameter's tensor"},
      {pickle_of("NQ"), "storage of five parts"},
      {pickle_of(")Q"), "storage of five parts"},
      {pickle_of("(NNNNNtQ"), "expected (\"storage\""},
      {pickle_of(TensorCode{.count = "J\xff\xff\xff\xff"}.code()), "expected (\"storage\""},
      {pickle_of(TensorCode{.shape = "K\x06\x85"}.code()), "do not fit"},
      {pickle_of(TensorCode{.shape = "NN\x86"}.code()), "expected integers"},
      {pickle_of(
           TensorCode{.shape = "(" + std::string(18, 'N') + "t", .strides = "(" + std::string(18, 'N') + "t"}.code()),
       "do not fit"},
      {pickle_of(std::string(200'001, 'N')), "at most 200000 operations"},
      {std::string((std::size_t{8} << 20) + 1, 'N'), "at most 8388608 bytes"},
  };
  for (const auto& [text, part] : cases) {
    CAPTURE(part);
    check_refused([&] { run(text); }, ErrorCode::Format, part);
  }
}

TEST_CASE("rejects a pickle cut off at every byte") {
  const std::string whole = pickle_of("}(" + unicode("vision_projector") + kOrderedDict + "(" + unicode("0.weight") +
                                      TensorCode{}.code() + "u}b" + unicode("vis_scale") + "G" + big_endian(0.5) + "u");
  CHECK_NOTHROW(run(whole));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    check_refused([&] { run(whole.substr(0, size)); }, ErrorCode::Format, "");
  }
}

}  // namespace
}  // namespace brain3d::io
