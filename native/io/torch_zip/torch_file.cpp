#include "io/torch_zip/torch_file.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string_view>

#include "io/bytes.h"
#include "io/failure.h"
#include "io/text.h"
#include "io/torch_zip/pickle.h"
#include "io/torch_zip/zip.h"

namespace brain3d::io {
namespace {

// A projector has four. Each read costs at most its storage's size, so this also bounds time and memory when many
// tensors of a hostile file share one storage.
constexpr std::size_t kMaxTensorsOfProjector = 16;
constexpr const char* kResaveAdvice =
    "; load it once with Python's torch.load(path, weights_only=True) and write it again with torch.save";

class ProjectorReader {
 public:
  explicit ProjectorReader(const std::string& path) : archive_(path), root_(find_root()) { check_byte_order(); }

  PeerProjector read() const {
    const ZipArchive::Entry* pickle = archive_.find(root_ + "data.pkl");
    if (pickle->size > kMaxPickleBytes) refuse("expected at most ", kMaxPickleBytes, " bytes of pickle");
    const std::vector<std::byte> bytes = archive_.read(*pickle);
    const PickleDocument document = read_pickle(bytes, archive_.name());
    const PickleDict* top = document.root.get<PickleDict>();
    if (top == nullptr) refuse("expected a dictionary; a whole pickled module is not read");
    for (const auto& [key, value] : top->entries) {
      if (key != "vision_projector" && key != "vis_scale")
        refuse("it has an unexpected entry \"", printable(key), "\"");
    }
    const auto state = top->entries.find("vision_projector");
    const PickleDict* tensors = state == top->entries.end() ? nullptr : state->second.get<PickleDict>();
    if (tensors == nullptr) refuse("expected the state dict \"vision_projector\"");

    if (tensors->entries.size() > kMaxTensorsOfProjector) refuse("it has ", tensors->entries.size(), " tensors");

    PeerProjector projector;
    for (const auto& [key, value] : tensors->entries) {
      const PickleTensor* tensor = value.get<PickleTensor>();
      if (tensor == nullptr) refuse("expected a tensor as \"", printable(key), "\"");
      projector.state.emplace(key, materialize(*tensor, key));
    }
    const auto scale = top->entries.find("vis_scale");
    if (scale != top->entries.end()) projector.vis_scale = read_scale(scale->second);
    return projector;
  }

 private:
  // torch.save puts everything in one folder named after the file; the file may have been renamed since.
  std::string find_root() const {
    constexpr std::string_view kSuffix = "/data.pkl";
    std::string root;
    for (const ZipArchive::Entry& entry : archive_.entries()) {
      const bool top_level = entry.name.find('/') == entry.name.size() - kSuffix.size();
      if (!entry.name.ends_with(kSuffix) || !top_level) continue;
      if (!root.empty()) refuse("expected one data.pkl, got several");
      root = entry.name.substr(0, entry.name.size() - kSuffix.size() + 1);
    }
    if (root.empty()) refuse("expected an archive written by torch.save with a data.pkl");
    return root;
  }

  void check_byte_order() const {
    const ZipArchive::Entry* entry = archive_.find(root_ + "byteorder");
    constexpr std::string_view kLittle = "little";
    if (entry == nullptr) return;  // torch before 2.1 wrote none, and only little-endian
    const bool right_size = entry->size == kLittle.size();
    const std::vector<std::byte> bytes = right_size ? archive_.read(*entry) : std::vector<std::byte>();
    if (!right_size || std::memcmp(bytes.data(), kLittle.data(), kLittle.size()) != 0) {
      fail_at(ErrorCode::Unsupported, {.file = archive_.name(), .field = "byteorder"}, "expected a little-endian file",
              kResaveAdvice);
    }
  }

  StoredTensor materialize(const PickleTensor& tensor, std::string_view key) const {
    const std::size_t item = dtype_bytes(tensor.storage.dtype);
    const ZipArchive::Entry* entry = archive_.find(concat(root_, "data/", tensor.storage.key));
    const auto storage_bytes = checked_multiply(tensor.storage.num_elements, item);
    if (entry == nullptr || !storage_bytes || entry->size != *storage_bytes) {
      refuse("tensor \"", printable(key), "\": its storage is missing or has another size");
    }
    const auto bytes = tensor_bytes(tensor.storage.dtype, tensor.shape);
    // Also refuses views that repeat elements, through which a small file could ask for a huge tensor.
    if (!bytes || *bytes > *storage_bytes || !is_inside(tensor)) {
      refuse("tensor \"", printable(key), "\": its shape does not fit its storage");
    }
    StoredTensor out{tensor.storage.dtype, tensor.shape, {}};
    const std::vector<std::byte> storage = archive_.read(*entry);
    out.bytes.resize(static_cast<std::size_t>(*bytes));
    gather(tensor, storage, item, out.bytes);
    return out;
  }

  // Every element of the view must lie in its storage; strides are not negative, so the last element decides.
  static bool is_inside(const PickleTensor& tensor) {
    if (tensor.offset < 0) return false;
    bool empty = false;
    std::optional<std::uint64_t> last = static_cast<std::uint64_t>(tensor.offset);
    for (std::size_t axis = 0; axis < tensor.shape.size(); ++axis) {
      if (tensor.strides[axis] < 0) return false;
      if (tensor.shape[axis] == 0) empty = true;
      const auto steps = static_cast<std::uint64_t>(std::max<std::int64_t>(tensor.shape[axis] - 1, 0));
      const auto extent = checked_multiply(steps, static_cast<std::uint64_t>(tensor.strides[axis]));
      if (!extent || !last) return false;
      last = checked_add(*last, *extent);
    }
    return empty || (last && *last < tensor.storage.num_elements);
  }

  // Copies the view element by element in row-major order.
  static void gather(const PickleTensor& tensor, const std::vector<std::byte>& storage, std::size_t item,
                     std::vector<std::byte>& out) {
    std::vector<std::int64_t> index(tensor.shape.size(), 0);
    std::vector<std::int64_t> strides = tensor.strides;
    // The stride of an axis of length 1 is never used and was not checked; adding it could overflow.
    for (std::size_t axis = 0; axis < strides.size(); ++axis) {
      if (tensor.shape[axis] == 1) strides[axis] = 0;
    }
    std::int64_t element = tensor.offset;
    for (std::size_t at = 0; at < out.size(); at += item) {
      std::memcpy(&out[at], &storage[static_cast<std::size_t>(element) * item], item);
      for (std::size_t axis = index.size(); axis-- > 0;) {
        element += strides[axis];
        if (++index[axis] < tensor.shape[axis]) break;
        element -= strides[axis] * tensor.shape[axis];
        index[axis] = 0;
      }
    }
  }

  std::optional<double> read_scale(const PickleValue& value) const {
    if (value.get<PickleNone>() != nullptr) return std::nullopt;
    std::optional<double> scale;
    if (const auto* real = value.get<double>()) scale = *real;
    if (const auto* integer = value.get<std::int64_t>()) scale = static_cast<double>(*integer);
    if (const auto* tensor = value.get<PickleTensor>()) scale = read_scalar(materialize(*tensor, "vis_scale"));
    if (!scale || !std::isfinite(*scale)) refuse("expected a finite number, a scalar tensor or None as \"vis_scale\"");
    return scale;
  }

  static std::optional<double> read_scalar(const StoredTensor& tensor) {
    if (tensor.bytes.size() != dtype_bytes(tensor.dtype)) return std::nullopt;
    const std::byte* at = tensor.bytes.data();
    switch (tensor.dtype) {
      case DType::F64: return load<double>(at);
      case DType::F32: return load<float>(at);
      case DType::BF16: return std::bit_cast<float>(std::uint32_t{load<std::uint16_t>(at)} << 16);
      case DType::F16: return half_to_double(load<std::uint16_t>(at));
      default: return std::nullopt;
    }
  }

  static double half_to_double(std::uint16_t bits) {
    const int exponent = (bits >> 10) & 31;
    const int fraction = bits & 1023;
    if (exponent == 31) return std::nan("");  // infinity or NaN: refused either way
    const double magnitude = exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(fraction + 1024, exponent - 25);
    return (bits & 0x8000U) != 0 ? -magnitude : magnitude;
  }

  template <typename... Parts>
  [[noreturn]] void refuse(const Parts&... parts) const {
    fail_at(ErrorCode::Format, {.file = archive_.name(), .field = "data.pkl"}, "not a saved projector: ", parts...);
  }

  ZipArchive archive_;
  std::string root_;
};

}  // namespace

PeerProjector read_peer_projector(const std::string& path) {
  if (const File file(path); !is_zip(file)) {
    fail_at(ErrorCode::Unsupported, {.file = file.name(), .field = "archive"},
            "expected a zip archive as torch.save writes it since torch 1.6", kResaveAdvice);
  }
  return ProjectorReader(path).read();
}

}  // namespace brain3d::io
