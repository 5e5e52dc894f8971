// Fixtures: tensors of test/golden, the specification's deterministic fill, and temporary directories.
#pragma once

#include <doctest/doctest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "device/torch.h"
#include "io/safetensors/safetensors.h"

namespace brain3d::test {

/// The device that numerical tests compute on: the environment's BRAIN3D_TEST_DEVICE ("cuda"), the CPU where it is
/// unset.
at::Device test_device();

std::string golden_path(const std::string& relative);

/// A tensor of a golden file, copied (float32 or int64).
at::Tensor golden_tensor(const std::string& file, const std::string& name);

/// u(t, i) of the specification, section 16: a number in [0, 1) from 32-bit integer arithmetic.
double spec_u(std::uint32_t t, std::uint32_t i);
/// gen(t, shape, A, off): element i = float32((2 u(t, i) - 1) * A + off).
at::Tensor spec_gen(std::uint32_t t, at::IntArrayRef shape, double amplitude = 0.2, double offset = 0);

/// Fills tensors by the specification's rule: names sorted bytewise, tensor number t = gen(t, shape), off = 1 where
/// `is_scale` says so. Writes DIR/model.safetensors.
void write_filled_model(const std::string& dir,
                        const std::vector<std::pair<std::string, std::vector<std::int64_t>>>& shapes,
                        bool (*is_scale)(const std::string&));

void write_text(const std::string& path, const std::string& text);

/// Removed with everything in it at the end.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// |a - b| <= tolerance * max(1, |b|) element by element, on whatever devices they are; the largest excess in the
/// message.
void check_close(const at::Tensor& actual, const at::Tensor& expected, double tolerance);
void check_close(const at::Tensor& actual, const std::vector<double>& expected, double tolerance);

}  // namespace brain3d::test
