// The cache's files: what comes back, and what is refused.
#include "volume/cached_volume.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>

#include "base/error.h"
#include "io/safetensors/safetensors.h"
#include "support/golden.h"

using namespace brain3d;
using namespace brain3d::volume;
using namespace brain3d::test;

namespace {

Volume normalised() {
  Volume volume;
  volume.voxels = at::linspace(0, 1, 2 * 3 * 4).view({2, 3, 4});
  return volume;
}

ErrorCode refusal(const std::string& path) {
  try {
    read_cached_voxels(path);
  } catch (const Error& error) {
    return error.code();
  }
  return ErrorCode::Internal;
}

}  // namespace

TEST_CASE("a cached volume comes back to float16's precision, in half the bytes, for its owner only") {
  const TemporaryDirectory dir;
  const std::string path = dir.path() + "/volume.safetensors";
  const Volume volume = normalised();
  write_cached_volume(volume, path);
  const at::Tensor voxels = read_cached_voxels(path);
  CHECK((voxels.scalar_type() == at::kFloat));
  CHECK(voxels.equal(volume.voxels.to(at::kHalf).to(at::kFloat)));
  check_close(voxels, volume.voxels, 0x1p-11);
  const io::SafetensorsFile file(path);
  const io::TensorEntry& entry = file.tensors().at("volume");
  CHECK(entry.end - entry.begin == 2 * 3 * 4 * 2);
  const bool only_owner = std::filesystem::status(path).permissions() ==
                          (std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  CHECK(only_owner);
}

TEST_CASE("the cache takes preprocessed voxels only") {
  const TemporaryDirectory dir;
  for (const float value : {-0.01F, 1.01F, std::numeric_limits<float>::quiet_NaN()}) {
    Volume volume = normalised();
    volume.voxels[1][2][3] = value;
    CHECK_THROWS_WITH_AS(write_cached_volume(volume, dir.path() + "/v.safetensors"),
                         doctest::Contains("voxels from 0 to 1"), Error);
  }
  CHECK(std::filesystem::is_empty(dir.path()));
}

TEST_CASE("files that are no cached volumes are refused") {
  const TemporaryDirectory dir;
  const std::string path = dir.path() + "/volume.safetensors";
  const std::map<std::string, std::string> format{{"format", "brain3d-cached-volume-1"}};
  const at::Tensor half = at::zeros({2, 3, 4}, at::kHalf);
  const at::Tensor single = at::zeros({2, 3, 4}, at::kFloat);
  const auto write = [&](const char* name, io::DType dtype, std::vector<std::int64_t> shape, const at::Tensor& data,
                         const std::map<std::string, std::string>& metadata) {
    io::write_safetensors(path, {{name, dtype, std::move(shape), data.const_data_ptr()}}, metadata);
    return refusal(path);
  };
  CHECK((write("voxels", io::DType::F16, {2, 3, 4}, half, format) == ErrorCode::Format));
  CHECK((write("volume", io::DType::F32, {2, 3, 4}, single, format) == ErrorCode::Format));
  CHECK((write("volume", io::DType::F16, {6, 4}, half, format) == ErrorCode::Format));
  CHECK((write("volume", io::DType::F16, {2, 3, 4}, half, {}) == ErrorCode::Format));
  CHECK((write("volume", io::DType::F16, {2, 3, 4}, half.sub(1).contiguous(), format) == ErrorCode::Format));
  CHECK((refusal(dir.path() + "/missing.safetensors") == ErrorCode::NotFound));

  write_cached_volume(normalised(), path);
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 1);
  CHECK((refusal(path) == ErrorCode::Format));
}
