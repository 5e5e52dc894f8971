#include "simulate/contrast.h"

#include <cmath>

namespace brain3d::simulate {

namespace {

// Peaks of Colin27's grey values: cerebrospinal fluid, grey matter, white matter; and its brightest fat.
constexpr float kCsfT1 = 32, kGreyT1 = 84, kWhiteT1 = 113, kFatT1 = 200;

float smoothstep(float from, float to, float x) {
  const float t = std::clamp((x - from) / (to - from), 0.0F, 1.0F);
  return t * t * (3 - 2 * t);
}

float lerp(float from, float to, float weight) { return from + weight * (to - from); }

}  // namespace

Renderer::Renderer(const Anatomy& anatomy, const Tumour& tumour, const TumourSpec& spec, const ContrastSpec& contrast)
    : anatomy_(anatomy), tumour_(tumour), contrast_(contrast), has_lesion_(!tumour.foci.empty()), fade_(0) {
  if (!has_lesion_) return;
  // Arrival 1 lies about one radius of the whole lesion from its centre.
  double volume = spec.edema_ml * 1000;
  for (const auto& focus : tumour.foci) volume += focus.core_mm3;
  fade_ = static_cast<float>(std::clamp(spec.infiltration_mm / std::cbrt(volume * 0.24), 0.02, 0.3));
  texture_ = image::Image<float>(anatomy.coarse.size, {2, 2, 2});
  const SmoothField patches(hash(spec.seed, 2), 7), speckles(hash(spec.seed, 3), 3.2);
  for (std::int64_t d = 0; d < texture_.size[0]; ++d)
    for (std::int64_t h = 0; h < texture_.size[1]; ++h)
      for (std::int64_t w = 0; w < texture_.size[2]; ++w) {
        if (tumour.edema(d, h, w) >= Front::kBeyond) continue;
        const Point place = anatomy.coarse.place_of(d, h, w);
        texture_(d, h, w) = static_cast<float>(0.8 * patches(place) + 0.6 * speckles(place));
      }
}

float Renderer::tissue_signal(float t1, float inside) const {
  const auto csf = static_cast<float>(contrast_.csf), grey = static_cast<float>(contrast_.grey),
             white = static_cast<float>(contrast_.white), fat = static_cast<float>(contrast_.fat);
  float brain = white;
  if (t1 < kCsfT1) {
    brain = csf * t1 / kCsfT1;
  } else if (t1 < kGreyT1) {
    brain = lerp(csf, grey, (t1 - kCsfT1) / (kGreyT1 - kCsfT1));
  } else if (t1 < kWhiteT1) {
    brain = lerp(grey, white, (t1 - kGreyT1) / (kWhiteT1 - kGreyT1));
  }
  const float relative = t1 / kFatT1;
  const float around = fat * relative * std::sqrt(std::sqrt(relative));  // bone and muscle darker than in proportion
  return lerp(around, brain, smoothstep(0.35F, 0.65F, inside));
}

void Renderer::add_lesion(const image::Vector& at, Voxel& voxel) const {
  const float edema = image::sample(tumour_.edema, at[0], at[1], at[2]);
  if (edema > 1 + fade_) return;
  const float core = image::sample(tumour_.core, at[0], at[1], at[2]);
  const float necrosis = image::sample(tumour_.necrosis, at[0], at[1], at[2]);
  const float texture = image::sample(texture_, at[0], at[1], at[2]);
  // Fluid is brightest near the core; what tissue there is shows through.
  const float wet = static_cast<float>(contrast_.edema) * (1 - 0.12F * std::clamp(edema, 0.0F, 1.0F)) +
                    0.03F * texture + 0.15F * (voxel.signal - static_cast<float>(contrast_.white));
  const float solid = static_cast<float>(contrast_.core) + 0.11F * texture;
  const float dead = static_cast<float>(contrast_.necrosis) + 0.05F * texture;
  float signal = lerp(voxel.signal, wet, 1 - smoothstep(1 - fade_, 1 + fade_, edema));
  signal = lerp(signal, solid, 1 - smoothstep(0.94F, 1.04F, core));
  signal = lerp(signal, dead, 1 - smoothstep(0.85F, 1.1F, necrosis));
  voxel.signal = std::max(signal, 0.0F);
  // Nearly all that is bright belongs to the mask, so that the rest of the brain looks as in a healthy one.
  if (necrosis <= 1) {
    voxel.part = Part::Necrosis;
  } else if (core <= 1) {
    voxel.part = Part::Enhancing;
  } else if (edema <= 1 + 0.7F * fade_) {
    voxel.part = Part::Edema;
  }
}

Renderer::Voxel Renderer::render(const Point& place) const {
  Voxel voxel;
  const image::Vector index = anatomy_.frame.index_of(place);
  if (!anatomy_.frame.contains(index)) return voxel;
  const image::Vector coarse = anatomy_.coarse.index_of(place);
  voxel.brain = image::sample(anatomy_.brain, coarse[0], coarse[1], coarse[2]);
  voxel.signal = tissue_signal(image::sample(anatomy_.t1, index[0], index[1], index[2]), voxel.brain);
  if (has_lesion_ && voxel.brain > 0.3F && anatomy_.region(anatomy_.code_at(place)) != Region::LateralVentricle)
    add_lesion(coarse, voxel);
  return voxel;
}

}  // namespace brain3d::simulate
