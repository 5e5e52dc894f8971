// Turns anatomy into a FLAIR signal: dark CSF, white matter below grey, bright fat, and a glioma over it.
#pragma once

#include <optional>

#include "simulate/subject.h"

namespace brain3d::simulate {

class Renderer {
 public:
  Renderer(const Anatomy& anatomy, const Tumour& tumour, const TumourSpec& spec, const ContrastSpec& contrast);

  struct Voxel {
    float signal = 0;
    float brain = 0;  // Anatomy::brain: above 0.5 inside
    std::optional<Part> part;
  };
  /// The signal at a place of the anatomy.
  Voxel render(const Point& place) const;

 private:
  float tissue_signal(float t1, float inside) const;
  void add_lesion(const image::Vector& coarse_index, Voxel& voxel) const;

  const Anatomy& anatomy_;
  const Tumour& tumour_;
  ContrastSpec contrast_;
  bool has_lesion_;
  float fade_;                   // half width of the lesion's margin, in units of arrival
  image::Image<float> texture_;  // within the lesion, on Anatomy::coarse
};

}  // namespace brain3d::simulate
