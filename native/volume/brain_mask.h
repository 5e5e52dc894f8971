// The brain's mask of a volume: found here (native/strip), or made by a tool of the user's.
#pragma once

#include "base/cancel.h"
#include "volume/volume.h"

namespace brain3d::volume {

enum class StripMethod {
  None,  // nothing is looked for: all of the volume, or all but a background that no scanner leaves
  Auto,  // a volume that is stripped already is taken as it is, else BET
  Bet,
};

struct BrainMask {
  /// 0 or 1, on the voxel grid, axes and affine of the volume it is of. Its voxels are undefined where all of the
  /// volume is taken, which only `None` does.
  Volume mask;
  std::string method;                 // "none", "already-stripped", "bet" or "command"
  std::string reason;                 // a clause that explains the choice of `Auto`; else empty
  double volume_ml = 0;               // 0 with `None`, which claims no brain
  std::vector<std::string> warnings;  // a sentence about each odd thing of the mask
};

/// The smallest and the largest brain that is accepted, and the range that raises no warning.
inline constexpr double kMinBrainMl = 200, kMaxBrainMl = 3000, kSmallBrainMl = 700, kLargeBrainMl = 2300;

/// Throws Volume if a voxel is not finite, if no brain is found, or if its volume is no brain's (not with `None`);
/// Cancelled.
BrainMask brain_mask(const Volume& volume, StripMethod method, const CancelFlag& cancel);

/// The mask in what a tool made of `volume`: the voxels that are not 0. The tool may have written a mask or a stripped
/// image, with axes in any order, but on the same grid. Throws Shape if the grid is another, Volume as `brain_mask`.
BrainMask mask_from_tool(const Volume& volume, const Volume& output);

}  // namespace brain3d::volume
