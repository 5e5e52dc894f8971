// A box of voxels: work on the part of a volume that matters.
#pragma once

#include "image/image.h"

namespace brain3d::image {

struct Box {
  Size begin{};  // the first voxel of the box
  Size end{};    // one beyond the last; equal to `begin` where the box is empty

  Size size() const { return {end[0] - begin[0], end[1] - begin[1], end[2] - begin[2]}; }
};

/// The smallest box that holds the mask, `margin` voxels wider on each side where there are that many.
Box bounding_box(const Mask& mask, std::int64_t margin);

template <typename T>
Image<T> crop(const Image<T>& image, const Box& box) {
  Image<T> out(box.size(), image.spacing_mm);
  for (std::int64_t d = 0; d < out.size[0]; ++d)
    for (std::int64_t h = 0; h < out.size[1]; ++h)
      std::copy_n(&image(box.begin[0] + d, box.begin[1] + h, box.begin[2]), out.size[2], &out(d, h, 0));
  return out;
}

/// `part` where the box lies in an image of `size`, T{} elsewhere.
template <typename T>
Image<T> uncrop(const Image<T>& part, const Box& box, const Size& size) {
  Image<T> out(size, part.spacing_mm);
  for (std::int64_t d = 0; d < part.size[0]; ++d)
    for (std::int64_t h = 0; h < part.size[1]; ++h)
      std::copy_n(&part(d, h, 0), part.size[2], &out(box.begin[0] + d, box.begin[1] + h, box.begin[2]));
  return out;
}

}  // namespace brain3d::image
