#include <algorithm>
#include <set>

#include "io/bytes.h"
#include "io/failure.h"
#include "io/json.h"
#include "io/safetensors/safetensors.h"
#include "io/text.h"

namespace brain3d::io {
namespace {

constexpr std::size_t kAlignmentBytes = 8;

void check_tensor(const TensorToWrite& tensor, const std::string& file) {
  const ErrorDetail detail{.file = file, .field = printable(tensor.name)};
  const std::string& name = tensor.name;
  if (name.empty() || name.size() > kMaxTensorNameBytes || name == "__metadata__" || has_control_characters(name) ||
      !is_utf8(name)) {
    fail_at(ErrorCode::Usage, detail, "write_safetensors: expected a tensor name of 1 to ", kMaxTensorNameBytes,
            " bytes of UTF-8 without control characters, got \"", printable(name), "\"");
  }
  const std::optional<std::uint64_t> bytes = tensor_bytes(tensor.dtype, tensor.shape);
  if (!bytes || (*bytes > 0 && tensor.data == nullptr)) {
    fail_at(ErrorCode::Usage, detail, "write_safetensors: tensor \"", printable(name), "\" cannot have shape ",
            shape_text(tensor.shape), " or has no data");
  }
}

std::vector<const TensorToWrite*> in_file_order(const std::vector<TensorToWrite>& tensors, const std::string& file) {
  std::vector<const TensorToWrite*> order;
  std::set<std::string> names;
  for (const TensorToWrite& tensor : tensors) {
    check_tensor(tensor, file);
    if (!names.insert(tensor.name).second) {
      fail_at(ErrorCode::Usage, {.file = file}, "write_safetensors: two tensors are called \"", printable(tensor.name),
              "\"");
    }
    order.push_back(&tensor);
  }
  std::sort(order.begin(), order.end(), [](const TensorToWrite* a, const TensorToWrite* b) {
    const std::size_t size_a = dtype_bytes(a->dtype);
    const std::size_t size_b = dtype_bytes(b->dtype);
    return size_a != size_b ? size_a > size_b : a->name < b->name;
  });
  return order;
}

}  // namespace

void write_safetensors(const std::string& path, const std::vector<TensorToWrite>& tensors,
                       const std::map<std::string, std::string>& metadata) {
  const std::string name = base_name(path);
  const std::vector<const TensorToWrite*> order = in_file_order(tensors, name);
  Json header = Json::object();
  for (const auto& [key, value] : metadata) {
    if (!is_utf8(key) || !is_utf8(value)) {
      fail_at(ErrorCode::Usage, {.file = name, .field = "__metadata__"},
              "write_safetensors: expected metadata in UTF-8");
    }
    header["__metadata__"][key] = value;
  }
  std::uint64_t offset = 0;
  for (const TensorToWrite* tensor : order) {
    const auto end = checked_add(offset, *tensor_bytes(tensor->dtype, tensor->shape));
    if (!end) fail_at(ErrorCode::Usage, {.file = name}, "write_safetensors: the tensors exceed 2^64 bytes");
    header[tensor->name] = {
        {"dtype", dtype_name(tensor->dtype)}, {"shape", tensor->shape}, {"data_offsets", {offset, *end}}};
    offset = *end;
  }

  std::string text = header.dump();
  // Padded with spaces as the format allows, so that the first tensor is aligned.
  text.resize((text.size() + kAlignmentBytes - 1) / kAlignmentBytes * kAlignmentBytes, ' ');
  std::byte length[8];
  store<std::uint64_t>(length, text.size());
  AtomicFile file(path);
  file.write(length, sizeof(length));
  file.write(text.data(), text.size());
  for (const TensorToWrite* tensor : order) file.write(tensor->data, *tensor_bytes(tensor->dtype, tensor->shape));
  file.commit();
}

}  // namespace brain3d::io
