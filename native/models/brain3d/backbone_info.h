// Looks into a backbone directory.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace brain3d::models {

struct BackboneInfo {
  std::string model_type;
  std::int64_t num_parameters = 0;                     // numbers in all tensors of the files
  std::vector<std::string> files;                      // names of the weight files
  std::vector<std::pair<std::string, double>> config;  // the sizes that are read, by their names in config.json
};

/// Looks into a vision or language backbone and checks strictly that its weights fit its configuration. Throws as the
/// loading of a model does.
BackboneInfo inspect_backbone(const std::string& dir);

}  // namespace brain3d::models
