#include "volume/cached_volume.h"

#include <cstring>

#include "base/error.h"
#include "io/safetensors/safetensors.h"

namespace brain3d::volume {

namespace {

constexpr const char* kTensor = "volume";
constexpr const char* kFormatKey = "format";
constexpr const char* kFormat = "brain3d-cached-volume-1";

/// False for NaN as well, and for no voxels. One pass: training reads a volume in every step.
bool is_normalised(const at::Tensor& voxels) {
  if (voxels.numel() == 0) return false;
  const auto [lowest, highest] = at::aminmax(voxels);
  return lowest.item<float>() >= 0 && highest.item<float>() <= 1;
}

}  // namespace

void write_cached_volume(const Volume& volume, const std::string& path) {
  B3D_CHECK(is_normalised(volume.voxels), Volume,
            "expected a preprocessed volume with voxels from 0 to 1 for the cache, got voxels outside of that");
  const at::Tensor half = volume.voxels.to(at::kHalf).contiguous();
  io::write_safetensors(path, {{kTensor, io::DType::F16, half.sizes().vec(), half.const_data_ptr()}},
                        {{kFormatKey, kFormat}});
}

at::Tensor read_cached_voxels(const std::string& path) {
  const io::SafetensorsFile file(path);
  const auto format = file.metadata().find(kFormatKey);
  const auto found = file.tensors().find(kTensor);
  const bool fits = format != file.metadata().end() && format->second == kFormat && file.tensors().size() == 1 &&
                    found != file.tensors().end() && found->second.dtype == io::DType::F16 &&
                    found->second.shape.size() == 3;
  if (!fits)
    throw Error(ErrorCode::Format,
                concat("expected a cached volume (", kFormat, ", one float16 tensor 'volume' of three axes), but ",
                       file.name(), " holds something else; make it again with `brain3d preprocess --manifest`"),
                {file.name(), kTensor, -1});
  const io::TensorEntry& entry = found->second;
  at::Tensor half = at::empty(entry.shape, at::kHalf);
  // The mapping may lie at any alignment, so its bytes are copied rather than read in place.
  std::memcpy(half.mutable_data_ptr(), file.data(entry), entry.end - entry.begin);
  const at::Tensor voxels = half.to(at::kFloat);
  if (!is_normalised(voxels))
    throw Error(ErrorCode::Format,
                concat("expected voxels from 0 to 1 in ", file.name(),
                       ", got others: the file is damaged; make it again with `brain3d preprocess --manifest`"),
                {file.name(), kTensor, -1});
  return voxels;
}

}  // namespace brain3d::volume
