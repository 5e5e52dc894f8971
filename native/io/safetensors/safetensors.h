// safetensors: tensors behind a JSON header. Reader (mapped, strict), sharded model directories, writer.
//
// Layout: 8 bytes N (little-endian), N bytes of JSON {name: {dtype, shape, data_offsets}}, then the tensors, row-major
// and little-endian. Every file accepted here is accepted by the safetensors library; some that it accepts are not:
// duplicate keys, empty names, control characters in names, white space before the header, absurd shapes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "io/dtype.h"
#include "io/file.h"

namespace brain3d::io {

inline constexpr std::uint64_t kMaxSafetensorsHeaderBytes = std::uint64_t{16} << 20;
inline constexpr std::size_t kMaxTensors = 50'000;
inline constexpr std::size_t kMaxTensorNameBytes = 1024;

struct TensorEntry {
  DType dtype = DType::F32;
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0;  // offsets in the file, end exclusive; not necessarily a multiple of the element size
  std::uint64_t end = 0;
};

class SafetensorsFile {
 public:
  /// Reads and checks the whole header; tensor bytes are touched only where a rule concerns them (BOOL is 0 or 1).
  /// Throws as File does, Format if a rule is broken, Unsupported for an element type brain3d does not read.
  explicit SafetensorsFile(const std::string& path);

  const std::map<std::string, TensorEntry>& tensors() const noexcept { return tensors_; }
  /// The header's "__metadata__".
  const std::map<std::string, std::string>& metadata() const noexcept { return metadata_; }
  /// A sentence about each thing that is odd but was accepted.
  const std::vector<std::string>& warnings() const noexcept { return warnings_; }

  /// The tensor's bytes, valid as long as this object; at any alignment, so copy rather than cast.
  const std::byte* data(const TensorEntry& entry) const noexcept { return file_.data() + entry.begin; }
  /// Drops the tensor's pages from memory (see MappedFile::release).
  void release(const TensorEntry& entry) const noexcept { file_.release(entry.begin, entry.end - entry.begin); }

  /// Base name, fit for a message.
  const std::string& name() const noexcept { return file_.name(); }
  /// N: bytes of the JSON header.
  std::uint64_t header_bytes() const noexcept { return header_bytes_; }

 private:
  void read_header();
  void check_layout() const;
  void check_booleans() const;

  MappedFile file_;
  std::uint64_t header_bytes_ = 0;
  std::map<std::string, TensorEntry> tensors_;
  std::map<std::string, std::string> metadata_;
  std::vector<std::string> warnings_;
};

/// The weights of a model: one file or the shards of an index.
class SafetensorsSet {
 public:
  struct Located {
    const SafetensorsFile* file;  // both owned by the set
    const TensorEntry* entry;
  };

  /// `dir`/model.safetensors if there is one, else the shards that `dir`/model.safetensors.index.json lists. Shards are
  /// plain file names in `dir` (links are followed: the Hugging Face cache is made of them), and index and shards
  /// agree about every tensor. Throws NotFound if neither is there, Format if a rule is broken.
  static SafetensorsSet open_directory(const std::string& dir);
  static SafetensorsSet open_file(const std::string& path);

  const std::map<std::string, Located>& tensors() const noexcept { return tensors_; }
  /// Base names, sorted.
  std::vector<std::string> files() const;
  const std::vector<std::string>& warnings() const noexcept { return warnings_; }

 private:
  const SafetensorsFile& add_file(const std::string& path);
  void add_shards(const std::string& dir, const std::string& index_path);
  void check_total_size(const std::string& index_name, std::uint64_t declared);

  std::vector<std::unique_ptr<SafetensorsFile>> files_;
  std::map<std::string, Located> tensors_;
  std::vector<std::string> warnings_;
};

struct TensorToWrite {
  std::string name;
  DType dtype;
  std::vector<std::int64_t> shape;
  const void* data;  // contiguous, row-major
};

/// Writes the file atomically (see AtomicFile), tensors by falling element size and then by name as the safetensors
/// library does, so that each is aligned and equal tensors give equal bytes.
/// Throws Usage if a name or shape could not be read back, Io if the system refuses.
void write_safetensors(const std::string& path, const std::vector<TensorToWrite>& tensors,
                       const std::map<std::string, std::string>& metadata = {});

}  // namespace brain3d::io
