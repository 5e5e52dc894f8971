#include "volume/volume.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>

#include "base/error.h"
#include "io/file.h"

namespace brain3d::volume {

namespace {

constexpr double kObliqueWarningDegrees = 1.0;

// Hounsfield units: air is -1000 and some scanners fill with less; fat, fluid, brain and blood lie about water's 0.
constexpr float kAir = -900;
constexpr float kLeastFiller = -4096;
constexpr float kLeastSoft = -100;
constexpr float kMostSoft = 200;
// A head fills part of its volume. Of signed MR phase, which is spread over -4096 to 4095, fewer are in the second
// range.
constexpr double kAirShare = 0.10;
constexpr double kSoftShare = 0.05;

void warn_of_hounsfield_units(Volume& volume) {
  const float* voxels = volume.voxels.const_data_ptr<float>();
  const auto num_voxels = static_cast<double>(volume.voxels.numel());
  const auto share = [&](float lowest, float highest) {
    const auto inside = [=](float value) { return value >= lowest && value <= highest; };
    return static_cast<double>(std::count_if(voxels, voxels + volume.voxels.numel(), inside)) / num_voxels;
  };
  const double air = share(kLeastFiller, kAir);
  if (air < kAirShare) return;
  const double soft = share(kLeastSoft, kMostSoft);
  if (soft < kSoftShare) return;
  volume.warnings.push_back(concat("hounsfieldUnits: ", std::lround(air * 100), " % of the voxels are ", kAir,
                                   " or less and ", std::lround(soft * 100), " % from ", kLeastSoft, " to ", kMostSoft,
                                   ", as in a CT; brain3d is for MRI"));
}

void place_in_patient(Volume& volume, const io::NiftiImage& image, const ReadOptions& options,
                      const std::string& name) {
  const bool overridden = options.override_orientation && !options.orientation.empty();
  if (!image.has_orientation || overridden) {
    if (options.orientation.empty())
      throw Error(ErrorCode::Orientation,
                  concat(name,
                         ": the header does not say how the volume lies in the patient (qform_code and sform_code "
                         "are 0); left and right would be a guess. State it with --orientation CODES (API: "
                         "orientation), for example RAS or LPS, if you know it"),
                  {name, "qform_code", -1});
    volume.affine = affine_from_codes(options.orientation, image.shape, image.spacing_mm);
    volume.affine_source = "stated";
    const std::string codes = image.has_orientation ? axis_codes(nearest_axes(image.affine)) : options.orientation;
    if (codes != options.orientation)
      volume.warnings.push_back(concat("overriddenOrientation: the file's ", image.affine_source, " says ", codes,
                                       "; it was read as ", options.orientation, ", as the caller stated"));
    return;
  }
  volume.affine = image.affine;
  volume.affine_source = image.affine_source;
  const AxisMap axes = nearest_axes(volume.affine);
  const std::string codes = axis_codes(axes);
  if (!options.orientation.empty() && options.orientation != codes)
    throw Error(ErrorCode::Orientation,
                concat(name, ": --orientation says ", options.orientation, ", but the file's ", image.affine_source,
                       " says ", codes, "; the option is for files that say nothing"),
                {name, image.affine_source, -1});
  if (axes.oblique_degrees > kObliqueWarningDegrees)
    volume.warnings.push_back(concat("oblique: the voxel axes are up to ", axes.oblique_degrees,
                                     " degrees off the patient axes; the nearest axes are used"));
}

Volume from_image(const io::NiftiImage& image, const ReadOptions& options, const std::string& name) {
  Volume volume;
  volume.datatype = image.datatype;
  volume.warnings = image.warnings;
  place_in_patient(volume, image, options, name);
  return volume;
}

io::NiftiOptions nifti_options(const ReadOptions& options) {
  io::NiftiOptions out;
  out.volume_index = options.volume_index;
  out.prefer = options.prefer_affine;
  out.cancel = options.cancel;
  // Two contradicting affines are no reason to refuse the file here, because neither is used.
  if (options.override_orientation && out.prefer.empty()) out.prefer = "sform";
  return out;
}

}  // namespace

Volume read_volume(const std::string& path, const ReadOptions& options) {
  io::NiftiImage image = io::read_nifti(path, nifti_options(options));
  Volume volume = from_image(image, options, io::base_name(path));
  const auto voxels = std::make_shared<LargeVector<float>>(std::move(image.voxels));
  // The tensor owns the vector: 36 MB of a BraTS volume are not copied again.
  volume.voxels = at::from_blob(
      voxels->data(), {image.shape[2], image.shape[1], image.shape[0]}, [voxels](void*) {},
      at::TensorOptions().dtype(at::kFloat));
  warn_of_hounsfield_units(volume);
  return volume;
}

Volume read_volume_header(const std::string& path, const ReadOptions& options) {
  const io::NiftiImage image = io::read_nifti_header(path, nifti_options(options));
  Volume volume = from_image(image, options, io::base_name(path));
  volume.voxels = at::empty({image.shape[2], image.shape[1], image.shape[0]},
                            at::TensorOptions().dtype(at::kFloat).device(at::kMeta));
  return volume;
}

Volume volume_from_array(const float* voxels, const std::array<std::int64_t, 3>& shape, const Affine& affine) {
  Volume volume;
  volume.voxels = at::empty({shape[0], shape[1], shape[2]}, at::kFloat);
  std::copy_n(voxels, volume.voxels.numel(), volume.voxels.mutable_data_ptr<float>());
  volume.affine = affine;
  volume.affine_source = "array";
  volume.datatype = "float32";
  nearest_axes(affine);  // refuses an unusable affine now, not at the first use
  warn_of_hounsfield_units(volume);
  return volume;
}

void write_volume(const Volume& volume, const std::string& path, io::StoredAs stored_as, const CancelFlag* cancel) {
  const at::Tensor voxels = volume.voxels.contiguous();
  io::NiftiOutput output{volume.shape_ijk(), voxels.const_data_ptr<float>(), volume.affine, stored_as};
  output.cancel = cancel;
  io::write_nifti(path, output);
}

}  // namespace brain3d::volume
