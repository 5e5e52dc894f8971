// Reads fields of config.json that the families share, as transformers reads them.
#pragma once

#include <vector>

#include "weights/json_fields.h"

namespace brain3d::models {

/// A rotary embedding. Each object of fields replaces single values of those before it.
struct RopeFields {
  double theta;
  bool is_linear = false;
  double linear_factor = 0;  // 0: not given

  /// Takes the fields of a `rope_scaling` or `rope_parameters`. Throws Config for a kind that brain3d does not compute:
  /// others than "default" and, where `may_be_linear`, "linear".
  void update(const weights::JsonFields& rope, bool may_be_linear);

  double factor() const { return is_linear ? linear_factor : 1.0; }
};

/// Reads `layer_types`: true for each of `num_layers` layers that has sliding attention. Throws Config for a list of
/// another length, or with another word than full_attention and sliding_attention in it.
std::vector<bool> read_sliding_layers(const weights::JsonFields& fields, std::int64_t num_layers);

}  // namespace brain3d::models
