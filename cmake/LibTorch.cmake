# Finds LibTorch by its files and defines the target `libtorch`.
#
# Torch's own TorchConfig.cmake is not used: for a CUDA LibTorch it demands a CUDA toolkit (a CPU build against it
# needs none), and it drags in options we do not want. CMAKE_PREFIX_PATH may name the torch directory (with lib/ and
# include/) or its share/cmake.
find_file(BRAIN3D_TORCH_CONFIG TorchConfig.cmake
  PATH_SUFFIXES Torch cmake/Torch share/cmake/Torch torch/share/cmake/Torch NO_CMAKE_FIND_ROOT_PATH)
if(NOT BRAIN3D_TORCH_CONFIG)
  message(FATAL_ERROR
    "LibTorch was not found (TorchConfig.cmake). Give its directory: cmake -DCMAKE_PREFIX_PATH=/path/to/torch ... "
    "or run `npm run build`, which finds or installs one.")
endif()
get_filename_component(LIBTORCH_ROOT "${BRAIN3D_TORCH_CONFIG}/../../../.." REALPATH)

# 2.12 moved the version macros to headeronly/.
find_file(torch_version_file NAMES torch/headeronly/version.h torch/version.h
  PATHS "${LIBTORCH_ROOT}/include" "${LIBTORCH_ROOT}/include/torch/csrc/api/include" NO_DEFAULT_PATH NO_CACHE REQUIRED)
file(READ "${torch_version_file}" torch_version_h)
foreach(part MAJOR MINOR PATCH)
  string(REGEX MATCH "TORCH_VERSION_${part} ([0-9]+)" _ "${torch_version_h}")
  set(torch_${part} "${CMAKE_MATCH_1}")
endforeach()
set(LIBTORCH_VERSION "${torch_MAJOR}.${torch_MINOR}.${torch_PATCH}")
if(LIBTORCH_VERSION VERSION_LESS 2.11 OR NOT LIBTORCH_VERSION VERSION_LESS 2.15)
  message(FATAL_ERROR "LibTorch ${LIBTORCH_VERSION} in ${LIBTORCH_ROOT} is not supported: 2.11 to 2.14 are.")
endif()

# CUDA needs both a CUDA LibTorch and nvcc; without either the build is a CPU build.
set(BRAIN3D_CUDA OFF)
if(EXISTS "${LIBTORCH_ROOT}/lib/libtorch_cuda.so")
  include(CheckLanguage)
  check_language(CUDA)
  if(CMAKE_CUDA_COMPILER)
    set(BRAIN3D_CUDA ON)
  else()
    message(STATUS "LibTorch has CUDA but no nvcc was found: building for CPU")
  endif()
endif()

add_library(libtorch INTERFACE)
target_include_directories(libtorch SYSTEM INTERFACE
  "${LIBTORCH_ROOT}/include" "${LIBTORCH_ROOT}/include/torch/csrc/api/include")
target_link_libraries(libtorch INTERFACE "${LIBTORCH_ROOT}/lib/libtorch_cpu.so" "${LIBTORCH_ROOT}/lib/libc10.so")
message(STATUS "LibTorch ${LIBTORCH_VERSION} at ${LIBTORCH_ROOT}; CUDA: ${BRAIN3D_CUDA}")
