// Moves the mask from the smooth surface to the brain's own border.
#pragma once

#include "image/image.h"

namespace brain3d::strip {

/// The mask without what BET's surface takes along: cerebrospinal fluid and bone at its rim, down to 4 mm deep, and
/// whatever hangs on the brain by less than 4 mm, as the orbits and the dura do. One part, without cavities.
/// Empty if nothing is left.
image::Mask trim(const image::Image<float>& head, const image::Mask& mask);

}  // namespace brain3d::strip
