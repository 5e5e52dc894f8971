// Is a volume a brain already, as BraTS publishes them, or a head?
#pragma once

#include <string>

#include "image/image.h"
#include "strip/background.h"

namespace brain3d::strip {

struct Detection {
  bool is_stripped = false;
  /// The foreground, without cavities that have a background's value; empty unless `is_stripped`.
  image::Mask foreground;
  std::string reason;  // a clause: "the background is one value, and 1.4 l of foreground have no skull around them"
};

/// A volume is stripped if all of this holds:
/// - it has a background (strip/background.h), whatever its value;
/// - what is not background is mostly one part, of at most 2.5 l;
/// - going inwards from its surface, in its upper half, intensities do not fall as they do from scalp to skull.
/// A head fails the first if its background has noise, and the third (and mostly the second) if that was set to zero.
Detection detect_stripped(const image::Image<float>& volume, const Background& background);

}  // namespace brain3d::strip
