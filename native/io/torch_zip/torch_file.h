// The peer's projector_vis_scale.pt, written by torch.save, read without Python and without running anything in it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "io/dtype.h"

namespace brain3d::io {

struct StoredTensor {
  DType dtype = DType::F32;
  std::vector<std::int64_t> shape;
  std::vector<std::byte> bytes;  // contiguous, row-major, little-endian
};

struct PeerProjector {
  std::map<std::string, StoredTensor> state;  // "0.weight" (M, E), "0.bias" (M), "2.weight" (M, M), "2.bias" (M)
  std::optional<double> vis_scale;            // absent where the file has none or None
};

/// Reads {"vision_projector": state dict, "vis_scale": number, scalar tensor or None}. Names and shapes of the state
/// are the caller's to check. Throws as ZipArchive and read_pickle do, Unsupported for torch's format before 1.6 (no
/// zip archive), Format if the contents are anything else than that dictionary.
PeerProjector read_peer_projector(const std::string& path);

}  // namespace brain3d::io
