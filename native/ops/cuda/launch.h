// Shared by the launchers of all kernels. They take raw pointers only, so that nvcc compiles the .cu files without
// ATen. Tensors are contiguous unless said otherwise; work is queued on `stream`, and the launch's own status is
// returned.
#pragma once

#include <cuda_runtime_api.h>

namespace brain3d::ops::cuda {

enum class FloatType { Float32, BFloat16 };

}  // namespace brain3d::ops::cuda
