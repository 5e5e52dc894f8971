// Strict loading: what a configuration expects is compared with what the files hold before a byte is read.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/cancel.h"
#include "device/torch.h"
#include "io/safetensors/safetensors.h"
#include "weights/tensor_names.h"

namespace brain3d::weights {

/// Canonical name -> shape.
using ExpectedTensors = std::map<std::string, std::vector<std::int64_t>>;
/// Done and total bytes.
using LoadProgress = std::function<void(std::int64_t, std::int64_t)>;

class WeightSource {
 public:
  /// `what` names the files in messages ("vision backbone"). Stored names are made canonical by `canonical`; two stored
  /// names with one canonical form are an error. Tensors whose canonical name `is_unused` accepts are left alone.
  /// Throws Weights listing every missing, unexpected and mis-shaped tensor at once.
  WeightSource(io::SafetensorsSet files, std::string what, ExpectedTensors expected,
               const std::function<bool(const std::string&)>& is_unused,
               const std::function<std::string(const std::string&)>& canonical = canonical_tensor_name);

  void set_cancel(CancelHandle cancel) { cancel_ = std::move(cancel); }
  void set_progress(LoadProgress progress) { progress_ = std::move(progress); }

  /// Copies a tensor into `destination` (same shape; any dtype and device) and lets its pages go.
  void read_into(const std::string& name, const at::Tensor& destination);
  at::Tensor read(const std::string& name, at::TensorOptions options);

  bool has(const std::string& name) const { return located_.count(name) != 0; }
  const std::vector<std::int64_t>& shape(const std::string& name) const;

 private:
  io::SafetensorsSet files_;
  std::string what_;
  ExpectedTensors expected_;
  std::map<std::string, std::string> located_;  // canonical -> stored name
  CancelHandle cancel_;
  LoadProgress progress_;
  std::int64_t total_bytes_ = 0;
  std::int64_t done_bytes_ = 0;
};

/// A stored tensor as a tensor over the mapped file, without a copy. Valid as long as the file is open.
/// Throws Weights for a dtype that is no model weight's (float32, bfloat16 and float16 are).
at::Tensor view_of(const io::SafetensorsFile& file, const std::string& name, const io::TensorEntry& entry);

/// Throws Weights, naming tensor and file, if a value is NaN or infinite. For the trained tensors, which are few: of a
/// backbone's gigabytes the logits tell, at every step (native/generate).
void require_finite(const at::Tensor& tensor, const std::string& name, const std::string& file);

}  // namespace brain3d::weights
