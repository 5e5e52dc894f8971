# CUDA sources and libraries of brain3d_core. Included only with a CUDA LibTorch and nvcc.
# sm_80 is the A100 of the paper, sm_90 the H100/H200; TORCH_CUDA_ARCH_LIST ("8.0;9.0") overrides.
if(TORCH_CUDA_ARCH_LIST)
  string(REPLACE "." "" brain3d_cuda_architectures "${TORCH_CUDA_ARCH_LIST}")
else()
  set(brain3d_cuda_architectures 80 90)
endif()
set(CMAKE_CUDA_ARCHITECTURES ${brain3d_cuda_architectures})  # also keeps CMake from probing for a GPU
# Kernels include no ATen header, so C++17 is enough; CMake 3.25 knows no CUDA20 dialect for nvcc 13.
set(CMAKE_CUDA_STANDARD 17)
set(CMAKE_CUDA_RUNTIME_LIBRARY Shared)  # the one LibTorch has opened already
enable_language(CUDA)
find_package(CUDAToolkit REQUIRED)

file(GLOB cuda_sources CONFIGURE_DEPENDS native/ops/cuda/*.cpp native/ops/cuda/*.cu)
target_sources(brain3d_core PRIVATE ${cuda_sources})
file(GLOB kernel_sources CONFIGURE_DEPENDS native/ops/cuda/*.cu)
set_source_files_properties(${kernel_sources} PROPERTIES SKIP_PRECOMPILE_HEADERS ON)
# The target is older than CUDA here, so the defaults above do not reach it.
set_target_properties(brain3d_core PROPERTIES CUDA_ARCHITECTURES "${brain3d_cuda_architectures}"
  CUDA_STANDARD 17 CUDA_RUNTIME_LIBRARY Shared)
target_compile_definitions(brain3d_core PUBLIC BRAIN3D_WITH_CUDA)
target_include_directories(brain3d_core SYSTEM PUBLIC ${CUDAToolkit_INCLUDE_DIRS})
target_link_libraries(brain3d_core PUBLIC
  "${LIBTORCH_ROOT}/lib/libtorch_cuda.so" "${LIBTORCH_ROOT}/lib/libc10_cuda.so" CUDA::cudart)
