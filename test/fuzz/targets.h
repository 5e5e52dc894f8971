// The targets of fuzzing. A target takes any bytes, reads them as its format and returns whether it was accepted; the
// one exception it may meet is brain3d::Error. Whatever else happens (a sanitizer's report, another exception, a broken
// promise) ends the program.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>

#include "base/error.h"

namespace brain3d::fuzz {

using Input = std::span<const std::uint8_t>;

bool fuzz_nifti(Input input);             // read_nifti, read_nifti_header
bool fuzz_nifti_gz(Input input);          // the same, compressed, against the same bytes uncompressed
bool fuzz_safetensors(Input input);       // SafetensorsFile
bool fuzz_torch_file(Input input);  // ZipArchive, read_pickle, read_peer_projector
bool fuzz_json_config(Input input);       // parse_json and the models' configurations

/// Ends the program unless `holds`: what a reader accepts must keep its promises.
inline void require(bool holds, const char* promise) {
  if (holds) return;
  std::fprintf(stderr, "broken promise: %s\n", promise);
  std::abort();
}

/// True if `read` accepts; refusals must be brain3d::Error, with words, and none may be an internal error.
template <typename Read>
bool accepts(Read&& read) {
  try {
    read();
    return true;
  } catch (const Error& error) {
    require(error.code() != ErrorCode::Internal && error.what()[0] != '\0', "a refusal says what is wrong");
    return false;
  }
}

}  // namespace brain3d::fuzz
