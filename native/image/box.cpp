#include "image/box.h"

namespace brain3d::image {

Box bounding_box(const Mask& mask, std::int64_t margin) {
  Box box{mask.size, {0, 0, 0}};
  for (std::int64_t d = 0; d < mask.size[0]; ++d)
    for (std::int64_t h = 0; h < mask.size[1]; ++h)
      for (std::int64_t w = 0; w < mask.size[2]; ++w) {
        if (mask(d, h, w) == 0) continue;
        const Size at{d, h, w};
        for (std::size_t axis = 0; axis < 3; ++axis) {
          box.begin[axis] = std::min(box.begin[axis], at[axis]);
          box.end[axis] = std::max(box.end[axis], at[axis] + 1);
        }
      }
  if (box.end[0] == 0) return {};
  for (std::size_t axis = 0; axis < 3; ++axis) {
    box.begin[axis] = std::max<std::int64_t>(0, box.begin[axis] - margin);
    box.end[axis] = std::min(mask.size[axis], box.end[axis] + margin);
  }
  return box;
}

}  // namespace brain3d::image
