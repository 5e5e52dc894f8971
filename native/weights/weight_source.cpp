#include "weights/weight_source.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/error.h"

namespace brain3d::weights {

namespace {

std::optional<at::ScalarType> weight_type(io::DType dtype) {
  switch (dtype) {
    case io::DType::F32: return at::kFloat;
    case io::DType::F16: return at::kHalf;
    case io::DType::BF16: return at::kBFloat16;
    default: return std::nullopt;
  }
}

std::string shape_text(const std::vector<std::int64_t>& shape) { return concat(at::IntArrayRef(shape)); }

/// "3 missing: a, b, c" with at most twenty names.
void append_names(std::string& message, const char* kind, const std::vector<std::string>& names) {
  if (names.empty()) return;
  constexpr std::size_t kShown = 20;
  message += concat("; ", names.size(), " ", kind, ": ");
  for (std::size_t i = 0; i < std::min(kShown, names.size()); ++i) message += (i == 0 ? "" : ", ") + names[i];
  if (names.size() > kShown) message += ", ...";
}

}  // namespace

at::Tensor view_of(const io::SafetensorsFile& file, const std::string& name, const io::TensorEntry& entry) {
  const auto type = weight_type(entry.dtype);
  if (!type)
    throw Error(ErrorCode::Weights,
                concat("expected float32, bfloat16 or float16 for tensor '", name, "', got ",
                       io::dtype_name(entry.dtype), " (", file.name(), ")"),
                {file.name(), name, static_cast<std::int64_t>(entry.begin)});
  // from_blob wants a mutable pointer; the tensor is only ever a source of copies.
  auto* bytes = const_cast<std::byte*>(file.data(entry));
  return at::from_blob(bytes, entry.shape, at::TensorOptions().dtype(*type));
}

void require_finite(const at::Tensor& tensor, const std::string& name, const std::string& file) {
  const auto bad = tensor.numel() - at::isfinite(tensor).sum().item<std::int64_t>();
  if (bad > 0)
    throw Error(ErrorCode::Weights,
                concat("expected finite values in tensor '", name, "', got ", bad, " of ", tensor.numel(),
                       " that are NaN or infinite (", file, "); the training that wrote it diverged"),
                {file, name, -1});
}

WeightSource::WeightSource(io::SafetensorsSet files, std::string what, ExpectedTensors expected,
                           const std::function<bool(const std::string&)>& is_unused,
                           const std::function<std::string(const std::string&)>& canonical)
    : files_(std::move(files)), what_(std::move(what)), expected_(std::move(expected)) {
  std::vector<std::string> missing, unexpected, misshaped;
  for (const auto& [stored, located] : files_.tensors()) {
    const std::string name = canonical(stored);
    const auto found = expected_.find(name);
    if (found == expected_.end()) {
      if (!is_unused(name)) unexpected.push_back(stored);
      continue;
    }
    if (!located_.emplace(name, stored).second) unexpected.push_back(stored + " (a second name for " + name + ")");
    if (located.entry->shape != found->second)
      misshaped.push_back(
          concat(stored, " expected ", shape_text(found->second), ", got ", shape_text(located.entry->shape)));
    total_bytes_ += static_cast<std::int64_t>(located.entry->end - located.entry->begin);
  }
  for (const auto& [name, shape] : expected_)
    if (!has(name)) missing.push_back(name);
  if (missing.empty() && unexpected.empty() && misshaped.empty()) return;
  std::string message = concat("the weights of the ", what_, " do not fit its configuration");
  append_names(message, "missing", missing);
  append_names(message, "unexpected", unexpected);
  append_names(message, "of another shape", misshaped);
  const std::string first = !missing.empty() ? missing[0] : !unexpected.empty() ? unexpected[0] : misshaped[0];
  throw Error(ErrorCode::Weights, message, {files_.files().empty() ? "" : files_.files()[0], first, -1});
}

const std::vector<std::int64_t>& WeightSource::shape(const std::string& name) const {
  const auto found = expected_.find(name);
  B3D_CHECK(found != expected_.end(), Internal, "tensor '", name, "' was not declared as expected");
  return found->second;
}

void WeightSource::read_into(const std::string& name, const at::Tensor& destination) {
  if (cancel_) cancel_->check();
  const auto stored = located_.find(name);
  B3D_CHECK(stored != located_.end(), Internal, "tensor '", name, "' was not declared as expected");
  const auto& located = files_.tensors().at(stored->second);
  destination.copy_(view_of(*located.file, stored->second, *located.entry));
  located.file->release(*located.entry);
  done_bytes_ += static_cast<std::int64_t>(located.entry->end - located.entry->begin);
  if (progress_) progress_(done_bytes_, total_bytes_);
}

at::Tensor WeightSource::read(const std::string& name, at::TensorOptions options) {
  at::Tensor tensor = at::empty(shape(name), options);
  read_into(name, tensor);
  return tensor;
}

}  // namespace brain3d::weights
