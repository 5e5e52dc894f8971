#include "io/torch_zip/torch_file.h"

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "io/safetensors/safetensors.h"
#include "io/torch_zip/torch_file_builder.h"

namespace brain3d::io {
namespace {

using namespace std::string_literals;
using test::big_endian;
using test::check_refused;
using test::golden;
using test::kOrderedDict;
using test::pickle_of;
using test::raw;
using test::TempDir;
using test::TensorCode;
using test::unicode;
using test::zip;
using test::ZipPart;

const float kStorage[6] = {0, 1, 2, 3, 4, 5};

std::string checkpoint_with(const std::string& pickle, std::vector<ZipPart> more = {}) {
  std::vector<ZipPart> parts{
      {.name = "p/data.pkl", .contents = pickle},
      {.name = "p/data/0", .contents = std::string(reinterpret_cast<const char*>(kStorage), 24)}};
  parts.insert(parts.end(), more.begin(), more.end());
  return zip(parts);
}

std::string state_with(const TensorCode& tensor, const std::string& rest = "") {
  return pickle_of("}(" + unicode("vision_projector") + kOrderedDict + unicode("0.weight") + tensor.code() + "s}b" +
                   rest + "u");
}

std::vector<float> floats(const StoredTensor& tensor) {
  std::vector<float> values(tensor.bytes.size() / sizeof(float));
  std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
  return values;
}

TEST_CASE("a projector's tensors are gathered from their storage by offset and strides") {
  const TempDir dir;
  const auto read = [&](const TensorCode& tensor) {
    return read_peer_projector(dir.write("p.pt", checkpoint_with(state_with(tensor)))).state.at("0.weight");
  };
  CHECK(floats(read({})) == std::vector<float>{0, 1, 2, 3, 4, 5});
  CHECK(floats(read({.shape = "K\x03K\x02\x86", .strides = "K\x01K\x03\x86"})) == std::vector<float>{0, 3, 1, 4, 2, 5});
  CHECK(floats(read({.offset = "K\x01", .shape = "K\x02\x85", .strides = "K\x04\x85"})) == std::vector<float>{1, 5});
  CHECK(floats(read({.offset = "K\x05", .shape = ")", .strides = ")"})) == std::vector<float>{5});
  // The stride of an axis of length 1 means nothing, however large.
  const std::string huge = "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f";
  CHECK(floats(read({.offset = "K\x05", .shape = "K\x01K\x01\x86", .strides = huge + huge + "\x86"})) ==
        std::vector<float>{5});
  CHECK(read({.shape = std::string("K\0K\x03\x86", 5)}).bytes.empty());
}

TEST_CASE("rejects tensors that do not fit their storage") {
  const TempDir dir;
  const std::string big = "\x8a\x08" + raw(std::int64_t{1} << 62);
  const std::string negative = "J\xff\xff\xff\xff";
  const std::pair<TensorCode, const char*> cases[] = {
      {{.count = "K\x07"}, "storage is missing or has another size"},
      {{.count = big}, "storage is missing or has another size"},
      {{.type = "DoubleStorage"}, "storage is missing or has another size"},
      {{.key = unicode("1")}, "storage is missing or has another size"},
      {{.key = unicode("../data.pkl")}, "storage is missing or has another size"},
      {{.offset = "K\x01"}, "shape does not fit"},
      {{.offset = negative}, "shape does not fit"},
      {{.offset = big}, "shape does not fit"},
      {{.shape = "K\x03K\x03\x86"}, "shape does not fit"},
      {{.shape = "K\x02" + negative + "\x86"}, "shape does not fit"},
      {{.shape = big + big + "\x86"}, "shape does not fit"},
      {{.shape = "K\xffK\xff\x86", .strides = std::string("K\0K\0\x86", 5)}, "shape does not fit"},
      {{.strides = "K\x04K\x01\x86"}, "shape does not fit"},
      {{.strides = negative + "K\x01\x86"}, "shape does not fit"},
      {{.strides = big + "K\x01\x86"}, "shape does not fit"},
  };
  for (const auto& [tensor, part] : cases) {
    check_refused([&] { read_peer_projector(dir.write("p.pt", checkpoint_with(state_with(tensor)))); },
                  ErrorCode::Format, part);
  }
}

TEST_CASE("the scale may be a number, a scalar tensor of any float type, None or absent") {
  const TempDir dir;
  const auto scale_of = [&](const std::string& rest, const std::string& storage = "") {
    const std::string bytes = checkpoint_with(state_with({}, rest), {{.name = "p/data/1", .contents = storage}});
    return read_peer_projector(dir.write("p.pt", bytes)).vis_scale;
  };
  const auto scalar = [&](const std::string& type) {
    return unicode("vis_scale") +
           TensorCode{.type = type, .key = unicode("1"), .count = "K\x01", .shape = ")", .strides = ")"}.code();
  };
  CHECK(scale_of(unicode("vis_scale") + "G" + big_endian(0.73)) == 0.73);
  CHECK(scale_of(unicode("vis_scale") + "K\x02") == 2.0);
  CHECK_FALSE(scale_of(unicode("vis_scale") + "N").has_value());
  CHECK_FALSE(scale_of("").has_value());
  CHECK(scale_of(scalar("FloatStorage"), raw(0.73F)) == double{0.73F});
  CHECK(scale_of(scalar("DoubleStorage"), raw(0.73)) == 0.73);
  CHECK(scale_of(scalar("BFloat16Storage"), raw(std::uint16_t{0x3F40})) == 0.75);
  CHECK(scale_of(scalar("HalfStorage"), raw(std::uint16_t{0xBA00})) == -0.75);
  CHECK(scale_of(scalar("HalfStorage"), raw(std::uint16_t{1})) == std::ldexp(1, -24));
  const auto refused = [&](const std::string& rest, const std::string& storage = "") {
    check_refused([&] { scale_of(rest, storage); }, ErrorCode::Format, "finite number, a scalar tensor or None");
  };
  refused(unicode("vis_scale") + unicode("1.0"));
  refused(unicode("vis_scale") + "\x88");
  refused(unicode("vis_scale") + "G" + big_endian(std::nan("")));
  refused(scalar("LongStorage"), raw(std::int64_t{1}));
  refused(scalar("HalfStorage"), raw(std::uint16_t{0x7C00}));
  refused(unicode("vis_scale") + TensorCode{}.code());
}

TEST_CASE("rejects files that hold something else than a projector") {
  const TempDir dir;
  const std::string good = state_with({});
  const std::pair<std::string, const char*> cases[] = {
      {zip({{.name = "p/other", .contents = "x"}}), "with a data.pkl"},
      {zip({{.name = "data.pkl", .contents = good}}), "with a data.pkl"},
      {zip({{.name = "a/b/data.pkl", .contents = good}}), "with a data.pkl"},
      {checkpoint_with(good, {{.name = "q/data.pkl", .contents = good}}), "got several"},
      {checkpoint_with(pickle_of("N")), "expected a dictionary"},
      {checkpoint_with(pickle_of("}")), "state dict \"vision_projector\""},
      {checkpoint_with(pickle_of("}" + unicode("vision_projector") + "Ns")), "state dict \"vision_projector\""},
      {checkpoint_with(state_with({}, unicode("optimizer") + "N")), "unexpected entry \"optimizer\""},
      {checkpoint_with(pickle_of("}" + unicode("vision_projector") + "}" + unicode("0.weight") + "Nss")),
       "expected a tensor as \"0.weight\""},
  };
  for (const auto& [bytes, part] : cases) {
    CAPTURE(part);
    check_refused([&] { read_peer_projector(dir.write("p.pt", bytes)); }, ErrorCode::Format, part);
  }
  check_refused([&] { read_peer_projector(dir.write("p.pt", "not a zip")); }, ErrorCode::Unsupported, "torch 1.6");
  check_refused(
      [&] {
        read_peer_projector(dir.write("p.pt", checkpoint_with(good, {{.name = "p/byteorder", .contents = "big"}})));
      },
      ErrorCode::Unsupported, "little-endian");
  check_refused([&] { read_peer_projector(dir.file("absent.pt")); }, ErrorCode::NotFound, "absent.pt");
}

// tools/reference/peer.py, torch 2.13: the same bits, so no tolerance.
TEST_CASE("files written by torch.save give the tensors that torch.load gives") {
  const SafetensorsFile expected(golden("peer/expected.safetensors"));
  for (const std::string name : {"projector_vis_scale", "float32", "scale_tensor", "scale_none"}) {
    CAPTURE(name);
    const PeerProjector projector = read_peer_projector(golden("peer/" + name + ".pt"));
    CHECK(projector.state.size() == 4);
    for (const auto& [key, tensor] : projector.state) {
      const TensorEntry& entry = expected.tensors().at(name + "." + key);
      CHECK(tensor.shape == entry.shape);
      const bool narrow = tensor.dtype == DType::BF16;
      std::string widened;  // bf16 is the upper half of float32
      for (std::size_t i = 0; i < tensor.bytes.size(); i += narrow ? 2 : 4) {
        if (narrow) widened += std::string(2, '\0');
        widened.append(reinterpret_cast<const char*>(&tensor.bytes[i]), narrow ? 2 : 4);
      }
      REQUIRE(widened.size() == entry.end - entry.begin);
      CHECK(std::memcmp(widened.data(), expected.data(entry), widened.size()) == 0);
    }
    const auto scale = expected.tensors().find(name + ".vis_scale");
    REQUIRE(projector.vis_scale.has_value() == (scale != expected.tensors().end()));
    if (!projector.vis_scale) continue;
    float value = 0;
    std::memcpy(&value, expected.data(scale->second), sizeof(value));
    CHECK(static_cast<float>(*projector.vis_scale) == value);
  }
}

TEST_CASE("rejects the reference's file with a command and its file in torch's old format") {
  check_refused([] { read_peer_projector(golden("peer/forbidden.pt")); }, ErrorCode::Unsupported, "posix.system");
  check_refused([] { read_peer_projector(golden("peer/legacy.pt")); }, ErrorCode::Unsupported, "torch 1.6");
}

TEST_CASE("a damaged projector file is refused or reads as before, at every byte") {
  const TempDir dir;
  const std::string whole = test::read_back(golden("peer/projector_vis_scale.pt"));
  const PeerProjector expected = read_peer_projector(golden("peer/projector_vis_scale.pt"));
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x41);
    try {
      const PeerProjector projector = read_peer_projector(dir.write("d.pt", damaged));
      CHECK(projector.vis_scale == expected.vis_scale);
      for (const auto& [key, tensor] : expected.state) CHECK(projector.state.at(key).bytes == tensor.bytes);
    } catch (const Error&) {
    }
  }
}

}  // namespace
}  // namespace brain3d::io
