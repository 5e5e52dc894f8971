#include "io/safetensors/safetensors.h"

#include <algorithm>
#include <string_view>

#include "io/bytes.h"
#include "io/failure.h"
#include "io/json.h"
#include "io/text.h"

namespace brain3d::io {
namespace {

constexpr std::uint64_t kLengthBytes = 8;

// One tensor's description in the header. Offsets count from the end of the header.
class EntryParser {
 public:
  EntryParser(const std::string& file, const std::string& tensor) : file_(file), tensor_(tensor) {}

  TensorEntry parse(const Json& info, std::uint64_t data_begin) const {
    if (!info.is_object()) refuse("", "expected an object with dtype, shape and data_offsets");
    TensorEntry entry;
    entry.dtype = parse_dtype(member(info, "dtype"));
    entry.shape = parse_shape(member(info, "shape"));
    parse_offsets(member(info, "data_offsets"), entry);
    const std::optional<std::uint64_t> bytes = tensor_bytes(entry.dtype, entry.shape);
    if (!bytes) {
      refuse("shape", "expected at most ", kMaxRank, " axes of 0 to ", kMaxAxisLength,
             " elements, with a size in bytes below 2^64, got ", entry.shape.size(), " axes");
    }
    if (entry.end < entry.begin || entry.end - entry.begin != *bytes) {
      refuse("data_offsets", "expected ", *bytes, " bytes for ", dtype_name(entry.dtype), " ", shape_text(entry.shape),
             ", got [", entry.begin, ", ", entry.end, "]");
    }
    const auto end = checked_add(entry.end, data_begin);
    if (!end) refuse("data_offsets", "expected offsets inside the file, got ", entry.end);
    entry.begin += data_begin;
    entry.end = *end;
    return entry;
  }

 private:
  const Json& member(const Json& info, const char* key) const {
    const auto found = info.find(key);
    if (found == info.end()) refuse(key, "it is missing");
    return *found;
  }

  DType parse_dtype(const Json& value) const {
    if (!value.is_string()) refuse("dtype", "expected a string");
    const auto& name = value.get_ref<const std::string&>();
    if (const std::optional<DType> dtype = dtype_from_name(name)) return *dtype;
    if (is_unread_dtype_name(name)) {
      fail_at(ErrorCode::Unsupported, {.file = file_, .field = "dtype"}, "tensor \"", printable(tensor_),
              "\" has element type ", name, ", which brain3d does not read; convert it to F32, F16 or BF16");
    }
    refuse("dtype", "expected a safetensors element type such as F32 or BF16, got \"", printable(name, 32), "\"");
  }

  std::uint64_t parse_size(const char* field, const Json& value) const {
    // Only a plain non-negative integer: 1.6e1 and -0 are numbers to JSON but not to the format.
    if (!value.is_number_unsigned()) refuse(field, "expected non-negative integers");
    return value.get<std::uint64_t>();
  }

  std::vector<std::int64_t> parse_shape(const Json& value) const {
    if (!value.is_array()) refuse("shape", "expected an array");
    std::vector<std::int64_t> shape;
    for (const Json& length : value) {
      const std::uint64_t size = parse_size("shape", length);
      if (size > static_cast<std::uint64_t>(kMaxAxisLength)) {
        refuse("shape", "expected axes of at most ", kMaxAxisLength, " elements, got ", size);
      }
      shape.push_back(static_cast<std::int64_t>(size));
    }
    return shape;
  }

  void parse_offsets(const Json& value, TensorEntry& entry) const {
    if (!value.is_array() || value.size() != 2) refuse("data_offsets", "expected an array of two offsets");
    entry.begin = parse_size("data_offsets", value[0]);
    entry.end = parse_size("data_offsets", value[1]);
  }

  template <typename... Parts>
  [[noreturn]] void refuse(const char* field, const Parts&... parts) const {
    fail_at(ErrorCode::Format, {.file = file_, .field = field}, "tensor \"", printable(tensor_), "\"",
            *field == '\0' ? "" : ", ", field, ": ", parts...);
  }

  const std::string& file_;
  const std::string& tensor_;
};

std::map<std::string, std::string> parse_metadata(const Json& value, const std::string& file) {
  const ErrorDetail detail{.file = file, .field = "__metadata__"};
  if (!value.is_object()) fail_at(ErrorCode::Format, detail, "__metadata__: expected an object of strings");
  if (value.size() > kMaxTensors) {
    fail_at(ErrorCode::Format, detail, "__metadata__: expected at most ", kMaxTensors, " entries, got ", value.size());
  }
  std::map<std::string, std::string> metadata;
  for (const auto& [key, text] : value.items()) {
    if (!text.is_string()) {
      fail_at(ErrorCode::Format, detail, "__metadata__: expected a string for \"", printable(key), "\"");
    }
    metadata.emplace(key, text.get<std::string>());
  }
  return metadata;
}

void check_name(const std::string& tensor, const std::string& file) {
  if (tensor.empty() || tensor.size() > kMaxTensorNameBytes || has_control_characters(tensor)) {
    fail_at(ErrorCode::Format, {.file = file, .field = "name"}, "expected tensor names of 1 to ", kMaxTensorNameBytes,
            " bytes without control characters, got \"", printable(tensor), "\"");
  }
}

}  // namespace

SafetensorsFile::SafetensorsFile(const std::string& path) : file_(path) {
  read_header();
  check_layout();
  check_booleans();
}

void SafetensorsFile::read_header() {
  const std::uint64_t size = file_.size();
  const ErrorDetail detail{.file = name(), .field = "header", .offset = 0};
  if (size < kLengthBytes) {
    fail_at(ErrorCode::Format, detail, "expected a safetensors file, got only ", size, " bytes; it may be cut off");
  }
  header_bytes_ = load<std::uint64_t>(file_.data());
  if (header_bytes_ > kMaxSafetensorsHeaderBytes) {
    fail_at(ErrorCode::Format, detail, "expected a safetensors header of at most ", kMaxSafetensorsHeaderBytes,
            " bytes, got ", header_bytes_, "; it may be another kind of file");
  }
  if (header_bytes_ > size - kLengthBytes) {
    fail_at(ErrorCode::Format, detail, "expected a header of ", header_bytes_, " bytes, but the file has only ", size,
            " bytes; it may be cut off");
  }
  const std::string_view text(reinterpret_cast<const char*>(file_.data() + kLengthBytes), header_bytes_);
  if (!text.starts_with('{')) fail_at(ErrorCode::Format, detail, "expected the header to begin with '{'");
  const Json header = parse_json(text, name());
  const std::size_t num_tensors = header.size() - header.count("__metadata__");
  if (num_tensors > kMaxTensors) {
    fail_at(ErrorCode::Format, detail, "expected at most ", kMaxTensors, " tensors, got ", num_tensors);
  }
  for (const auto& [tensor, info] : header.items()) {
    if (tensor == "__metadata__") {
      metadata_ = parse_metadata(info, name());
      continue;
    }
    check_name(tensor, name());
    tensors_.emplace(tensor, EntryParser(name(), tensor).parse(info, kLengthBytes + header_bytes_));
    if (info.size() != 3) warnings_.push_back(concat("tensor \"", printable(tensor), "\" has unknown fields"));
  }
}

// The tensors cover the rest of the file without gap or overlap, so that no byte has two meanings and none is hidden.
void SafetensorsFile::check_layout() const {
  std::vector<std::pair<std::string_view, const TensorEntry*>> order;
  for (const auto& [tensor, entry] : tensors_) order.emplace_back(tensor, &entry);
  std::sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
    return std::pair(a.second->begin, a.second->end) < std::pair(b.second->begin, b.second->end);
  });
  std::uint64_t expected = kLengthBytes + header_bytes_;
  for (const auto& [tensor, entry] : order) {
    if (entry->begin != expected) {
      fail_at(ErrorCode::Format,
              {.file = name(), .field = "data_offsets", .offset = detail_offset(std::min(entry->begin, expected))},
              "tensor \"", printable(tensor), "\": expected it to begin at byte ", expected,
              ", where the one before ends", ", got byte ", entry->begin, " (",
              entry->begin < expected ? "overlap" : "gap", ")");
    }
    expected = entry->end;
  }
  if (expected != file_.size()) {
    fail_at(ErrorCode::Format, {.file = name(), .offset = detail_offset(std::min(expected, file_.size()))},
            "expected a file of ", expected, " bytes by its header, got ", file_.size(),
            expected > file_.size() ? "; it may be cut off" : "; unexplained bytes follow the tensors");
  }
}

// A bool that is neither 0 nor 1 is undefined behaviour in whatever reads it.
void SafetensorsFile::check_booleans() const {
  for (const auto& [tensor, entry] : tensors_) {
    if (entry.dtype != DType::Bool) continue;
    const std::byte* end = file_.data() + entry.end;
    const std::byte* other = std::find_if(data(entry), end, [](std::byte byte) { return byte > std::byte{1}; });
    if (other != end) {
      fail_at(ErrorCode::Format, {.file = name(), .offset = other - file_.data()}, "tensor \"", printable(tensor),
              "\": expected BOOL elements to be 0 or 1");
    }
    release(entry);
  }
}

}  // namespace brain3d::io
