// Layers as encoders store them: a module's name, then ".weight" and ".bias".
#pragma once

#include <string>
#include <vector>

#include "nn/layer_norm.h"
#include "nn/linear.h"
#include "weights/weight_source.h"

namespace brain3d::weights {

nn::LayerNorm load_norm(WeightSource& source, const std::string& module, at::TensorOptions options);
nn::Linear load_linear(WeightSource& source, const std::string& module, at::TensorOptions options);

/// Square layers of `width`, one below the other, as one of (modules * width, width).
nn::Linear load_fused(WeightSource& source, const std::vector<std::string>& modules, std::int64_t width,
                      at::TensorOptions options);

}  // namespace brain3d::weights
