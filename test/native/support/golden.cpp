#include "support/golden.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include "device/device.h"
#include "weights/weight_source.h"

namespace brain3d::test {

at::Device test_device() {
  use_ieee_float32();
  const char* name = std::getenv("BRAIN3D_TEST_DEVICE");
  return parse_device(name == nullptr ? "cpu" : name);
}

std::string golden_path(const std::string& relative) { return std::string(B3D_TEST_GOLDEN_DIR) + "/" + relative; }

at::Tensor golden_tensor(const std::string& file, const std::string& name) {
  const io::SafetensorsFile stored(golden_path(file));
  REQUIRE_MESSAGE(stored.tensors().count(name) == 1, name, " in ", file);
  const io::TensorEntry& entry = stored.tensors().at(name);
  if (entry.dtype == io::DType::I64) {
    auto* bytes = const_cast<std::byte*>(stored.data(entry));
    return at::from_blob(bytes, entry.shape, at::TensorOptions().dtype(at::kLong)).clone();
  }
  return weights::view_of(stored, name, entry).clone();
}

double spec_u(std::uint32_t t, std::uint32_t i) {
  std::uint32_t h = i * 2654435761u + t * 1013904223u + 97u;
  h ^= h >> 16;
  h *= 2246822519u;
  h ^= h >> 13;
  h *= 3266489917u;
  h ^= h >> 16;
  return static_cast<double>(h >> 8) * 0x1p-24;
}

at::Tensor spec_gen(std::uint32_t t, at::IntArrayRef shape, double amplitude, double offset) {
  at::Tensor out = at::empty(shape, at::kFloat);
  auto* values = out.mutable_data_ptr<float>();
  for (std::int64_t i = 0; i < out.numel(); ++i)
    values[i] = static_cast<float>((2.0 * spec_u(t, static_cast<std::uint32_t>(i)) - 1.0) * amplitude + offset);
  return out;
}

void write_filled_model(const std::string& dir,
                        const std::vector<std::pair<std::string, std::vector<std::int64_t>>>& shapes,
                        bool (*is_scale)(const std::string&)) {
  auto sorted = shapes;
  std::sort(sorted.begin(), sorted.end());
  std::vector<at::Tensor> values;
  std::vector<io::TensorToWrite> records;
  for (std::size_t t = 0; t < sorted.size(); ++t) {
    const auto& [name, shape] = sorted[t];
    values.push_back(spec_gen(static_cast<std::uint32_t>(t), shape, 0.2, is_scale(name) ? 1 : 0));
    records.push_back({name, io::DType::F32, shape, values.back().const_data_ptr()});
  }
  io::write_safetensors(dir + "/model.safetensors", records);
}

void write_text(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

TemporaryDirectory::TemporaryDirectory() {
  std::string pattern = (std::filesystem::temp_directory_path() / "brain3d-XXXXXX").string();
  REQUIRE(mkdtemp(pattern.data()) != nullptr);
  path_ = pattern;
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;  // a destructor must not throw; a leftover directory harms nothing
  std::filesystem::remove_all(path_, ignored);
}

void check_close(const at::Tensor& actual, const at::Tensor& expected, double tolerance) {
  REQUIRE(actual.sizes() == expected.sizes());
  const at::Tensor want = expected.to(at::kCPU, at::kDouble);
  const at::Tensor excess = (actual.to(at::kCPU, at::kDouble) - want).abs() / want.abs().clamp_min(1.0);
  const auto largest = excess.max().item<double>();
  CHECK_MESSAGE(largest <= tolerance, "off by ", largest, ", tolerance ", tolerance);
}

void check_close(const at::Tensor& actual, const std::vector<double>& expected, double tolerance) {
  check_close(actual.flatten(), at::tensor(expected, at::kDouble), tolerance);
}

}  // namespace brain3d::test
