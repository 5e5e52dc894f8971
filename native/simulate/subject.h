// One simulated subject: anatomy, shape, lesion and acquisition in, volumes and the truth about them out.
#pragma once

#include "base/cancel.h"
#include "simulate/acquisition.h"
#include "simulate/shape.h"
#include "simulate/tumour.h"

namespace brain3d::simulate {

/// Signal of each tissue, white matter's being about 0.5.
struct ContrastSpec {
  double csf = 0.1, grey = 0.65, white = 0.5, fat = 1;
  double edema = 0.95, core = 0.75, necrosis = 0.3;
};

struct SubjectSpec {
  image::Size size{155, 240, 240};  // (D, H, W)
  double spacing_mm = 1;
  ShapeSpec shape;
  TumourSpec tumour;
  ContrastSpec contrast;
  AcquisitionSpec acquisition;
  bool strip = true;              // the skull is removed, along a surface that is off the true one by
  double strip_roughness = 0.15;  // this much, in units of Anatomy::brain (0.1 is about 0.4 mm)
  std::uint64_t strip_seed = 0;
};

enum class Part : std::uint8_t { Necrosis, Edema, Enhancing };  // BraTS labels 1, 2, 4
inline constexpr std::array<std::uint8_t, 3> kBratsLabels{1, 2, 4};

/// The facts that the masks hold. Index 0 is the left half of the brain, 1 the right one, by the anatomy's own midline.
struct Truth {
  /// [region][half][part]
  std::array<std::array<std::array<double, 3>, 2>, kNumRegions> volume_mm3{};
  std::array<double, 2> reach_mm{};  // how far the lesion reaches from the midline into each half; 0 if not at all
  std::array<double, 2> ventricle_mm3{}, ventricle_before_mm3{};  // lateral ventricles, with and without mass effect
  double midline_shift_mm = 0;  // the shift of the septum pellucidum; positive to the right
  double brain_mm3 = 0;
  std::vector<double> cores_mm3;  // solid parts (necrosis and enhancing) that touch nowhere, largest first
};

struct Subject {
  image::Image<float> flair;  // 0 outside the brain if stripped
  image::Image<std::uint8_t> segmentation;
  image::Mask brain;  // the true one
  Point origin_mm{};  // RAS place of voxel (0, 0, 0)
  Truth truth;
};

/// Throws Usage for sizes, spacings or a lesion that cannot be, and Cancelled.
Subject simulate_subject(const Anatomy& anatomy, const SubjectSpec& spec, const CancelFlag& cancel);

}  // namespace brain3d::simulate
