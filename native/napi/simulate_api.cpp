// The simulator: an anatomy to draw from, one subject a call.
#include "simulate/subject.h"

#include "napi/convert.h"
#include "napi/exports.h"
#include "napi/promise_task.h"
#include "volume/reorient.h"

namespace brain3d::napi {

template <>
struct HandleTraits<simulate::Anatomy> {
  static constexpr const char* name = "Anatomy";
  static constexpr napi_type_tag tag{0x2b7e46d90c3f4a51, 0x9d10c8e27f5b6a34};
};

namespace {

using simulate::Subject;
using simulate::SubjectSpec;

std::array<double, 3> to_triple(const Options& options, const char* key) {
  const auto values = to_numbers(options.value(key), key);
  if (values.size() != 3)
    throw Napi::TypeError::New(options.value(key).Env(), std::string("expected three numbers for ") + key);
  return {values[0], values[1], values[2]};
}

std::uint64_t to_seed(const Options& options, const char* key) {
  return static_cast<std::uint64_t>(options.integer(key));
}

simulate::ShapeSpec to_shape(const Napi::Value& value) {
  const Options shape(value);
  return {to_triple(shape, "scale"), to_triple(shape, "rotationDegrees"), to_triple(shape, "translationMm"),
          shape.number("warpMm"),    to_seed(shape, "warpSeed"),          shape.number("ventricleMm")};
}

simulate::TumourSpec to_tumour(const Napi::Value& value) {
  const Options tumour(value);
  const Napi::Value list = tumour.value("foci");
  if (!list.IsArray()) throw Napi::TypeError::New(value.Env(), "expected an array for foci");
  const auto foci = list.As<Napi::Array>();
  simulate::TumourSpec out;
  for (std::uint32_t i = 0; i < foci.Length(); ++i) {
    const Options focus(foci.Get(i));
    const std::string side = focus.text("side");
    if (side != "left" && side != "right" && side != "middle")
      throw Napi::RangeError::New(value.Env(), "expected left, right or middle for side");
    out.foci.push_back({simulate::region_from_name(focus.text("region")),
                        side == "left"    ? simulate::Side::Left
                        : side == "right" ? simulate::Side::Right
                                          : simulate::Side::Middle,
                        to_seed(focus, "seed"), focus.number("coreMl")});
  }
  out.edema_ml = tumour.number("edemaMl");
  out.necrosis_share = tumour.number("necrosisShare");
  out.infiltration_mm = tumour.number("infiltrationMm");
  out.push_mm = tumour.number("pushMm");
  out.squeeze_mm = tumour.number("squeezeMm");
  out.seed = to_seed(tumour, "seed");
  return out;
}

simulate::ContrastSpec to_contrast(const Napi::Value& value) {
  const Options contrast(value);
  return {contrast.number("csf"),   contrast.number("grey"), contrast.number("white"),   contrast.number("fat"),
          contrast.number("edema"), contrast.number("core"), contrast.number("necrosis")};
}

simulate::AcquisitionSpec to_acquisition(const Napi::Value& value) {
  const Options acquisition(value);
  return {acquisition.number("bias"),   to_seed(acquisition, "biasSeed"), acquisition.number("sliceMm"),
          acquisition.number("blurMm"), acquisition.number("noise"),      to_seed(acquisition, "noiseSeed"),
          acquisition.number("gain")};
}

SubjectSpec to_subject_spec(const Napi::Value& value) {
  const Options options(value);
  SubjectSpec spec;
  const auto size = options.integers("size");
  if (size.size() != 3) throw Napi::TypeError::New(value.Env(), "expected three integers for size");
  spec.size = {size[0], size[1], size[2]};
  spec.spacing_mm = options.number("spacingMm");
  spec.shape = to_shape(options.value("shape"));
  spec.tumour = to_tumour(options.value("tumour"));
  spec.contrast = to_contrast(options.value("contrast"));
  spec.acquisition = to_acquisition(options.value("acquisition"));
  spec.strip = options.boolean("strip");
  spec.strip_roughness = options.number("stripRoughness");
  spec.strip_seed = to_seed(options, "stripSeed");
  return spec;
}

/// A canonical image as a volume stored towards `codes`.
template <typename T>
volume::Volume to_volume(const image::Image<T>& image, const simulate::Point& origin_mm, const std::string& codes) {
  volume::Volume volume;
  volume.voxels = at::empty({image.size[0], image.size[1], image.size[2]}, at::kFloat);
  std::copy(image.voxels.begin(), image.voxels.end(), volume.voxels.mutable_data_ptr<float>());
  for (std::size_t axis = 0; axis < 3; ++axis) {
    volume.affine[5 * axis] = image.spacing_mm[2 - axis];
    volume.affine[4 * axis + 3] = origin_mm[axis];
  }
  volume.affine[15] = 1;
  volume.affine_source = "array";
  volume.datatype = "float32";
  return volume::reorient(volume, codes);
}

Napi::Object truth_object(Napi::Env env, const simulate::Truth& truth) {
  Napi::Object out = Napi::Object::New(env);
  Napi::Array volumes = Napi::Array::New(env);
  for (std::size_t region = 1; region < simulate::kNumRegions; ++region)
    for (std::size_t half = 0; half < 2; ++half) {
      const auto& parts = truth.volume_mm3[region][half];
      if (parts[0] + parts[1] + parts[2] == 0) continue;
      Napi::Object entry = Napi::Object::New(env);
      entry.Set("region", simulate::region_name(static_cast<simulate::Region>(region)));
      entry.Set("side", half == 0 ? "left" : "right");
      entry.Set("necrosisMm3", parts[0]);
      entry.Set("edemaMm3", parts[1]);
      entry.Set("enhancingMm3", parts[2]);
      volumes.Set(volumes.Length(), entry);
    }
  out.Set("volumes", volumes);
  out.Set("reachMm", to_array(env, truth.reach_mm));
  out.Set("ventricleMm3", to_array(env, truth.ventricle_mm3));
  out.Set("ventricleBeforeMm3", to_array(env, truth.ventricle_before_mm3));
  out.Set("midlineShiftMm", truth.midline_shift_mm);
  out.Set("brainMm3", truth.brain_mm3);
  out.Set("coresMm3", to_array(env, truth.cores_mm3));
  return out;
}

struct SubjectVolumes {
  volume::Volume flair, segmentation, brain;
  simulate::Truth truth;
};

Napi::Value load_anatomy(const Napi::CallbackInfo& call) {
  const std::string t1 = to_text(call[0], "t1Path"), regions = to_text(call[1], "regionsPath");
  return run_async<std::shared_ptr<simulate::Anatomy>>(
      call.Env(), AddonData::of(call.Env()).files(), get_handle<CancelFlag>(call[2]), std::make_shared<Held>(),
      [t1, regions] { return std::make_shared<simulate::Anatomy>(simulate::load_anatomy(t1, regions)); },
      [](Napi::Env env, std::shared_ptr<simulate::Anatomy>& anatomy) {
        const auto bytes = static_cast<std::int64_t>(anatomy->t1.voxels.size() * sizeof(float));
        return make_handle(env, std::move(anatomy), bytes);
      });
}

Napi::Value simulate_subject(const Napi::CallbackInfo& call) {
  const auto anatomy = get_handle<simulate::Anatomy>(call[0]);
  return guarded(call.Env(), [&]() -> Napi::Value {
    const SubjectSpec spec = to_subject_spec(call[1]);
    const std::string codes = Options(call[1]).text("orientation");
    const auto cancel = get_handle<CancelFlag>(call[2]);
    return run_async<SubjectVolumes>(
        call.Env(), AddonData::of(call.Env()).compute(), cancel, std::make_shared<Held>(),
        [anatomy, spec, codes, cancel] {
          const Subject subject = simulate::simulate_subject(*anatomy, spec, *cancel);
          return SubjectVolumes{to_volume(subject.flair, subject.origin_mm, codes),
                                to_volume(subject.segmentation, subject.origin_mm, codes),
                                to_volume(subject.brain, subject.origin_mm, codes), subject.truth};
        },
        [](Napi::Env env, SubjectVolumes& volumes) {
          Napi::Object out = Napi::Object::New(env);
          out.Set("flair", volume_handle(env, std::move(volumes.flair)));
          out.Set("segmentation", volume_handle(env, std::move(volumes.segmentation)));
          out.Set("brain", volume_handle(env, std::move(volumes.brain)));
          out.Set("truth", truth_object(env, volumes.truth));
          return out;
        });
  });
}

}  // namespace

void export_simulate(Napi::Env env, Napi::Object exports) {
  exports.Set("loadAnatomy", Napi::Function::New(env, load_anatomy, "loadAnatomy"));
  exports.Set("simulateSubject", Napi::Function::New(env, simulate_subject, "simulateSubject"));
}

}  // namespace brain3d::napi
