#include "io/nifti/nifti.h"

#include <algorithm>
#include <optional>
#include <span>

#include "io/bytes.h"
#include "io/failure.h"
#include "io/gzip.h"
#include "io/nifti/affine.h"
#include "io/nifti/voxels.h"

namespace brain3d::io {
namespace {

constexpr std::uint64_t kMaxExtensionBytes = std::uint64_t{1} << 20;
constexpr std::size_t kMaxExtensions = 1000;
constexpr std::uint64_t kMaxTrailingBytes = std::uint64_t{1} << 20;
// Deflate cannot do better: 258 bytes take at least two bits. A header that claims more than this is a lie.
constexpr std::uint64_t kMaxDeflateRatio = 1032;
constexpr std::size_t kChunkVoxels = 64 * 1024;

// The bytes of the volume from front to back, inflated where needed.
class VolumeStream {
 public:
  explicit VolumeStream(const File& file) : file_(file) {
    if (is_gzip(file)) gzip_.emplace(file);
  }

  bool compressed() const { return gzip_.has_value(); }

  // Up to `bytes` bytes; fewer only at the end.
  std::size_t read_some(void* out, std::size_t bytes) {
    if (gzip_) {
      const std::size_t count = gzip_->read(out, bytes);
      offset_ += count;
      return count;
    }
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(bytes, file_.size() - offset_));
    file_.read_exact(offset_, out, count);
    offset_ += count;
    return count;
  }

  void read(void* out, std::size_t bytes, const char* what) {
    const std::uint64_t begin = offset_;
    const std::size_t count = read_some(out, bytes);
    if (count == bytes) return;
    fail_at(ErrorCode::Format, {.file = file_.name(), .field = what, .offset = detail_offset(begin + count)},
            "expected ", bytes, " bytes of ", what, " at offset ", begin, ", got only ", count,
            "; the file is cut off: copy it again");
  }

  void skip(std::uint64_t bytes, const char* what, const CancelFlag* cancel) {
    if (!gzip_) {
      offset_ += bytes;  // inside the file: check_data_size comes first
      return;
    }
    std::vector<std::byte> scratch(64 * 1024);
    while (bytes > 0) {
      if (cancel != nullptr) cancel->check();
      const auto part = static_cast<std::size_t>(std::min<std::uint64_t>(bytes, scratch.size()));
      read(scratch.data(), part, what);
      bytes -= part;
    }
  }

  // Refuses a file that cannot hold `end` bytes, before anything is allocated for them.
  void check_data_size(std::uint64_t end) const {
    const auto most = gzip_ ? checked_multiply(file_.size(), kMaxDeflateRatio) : file_.size();
    if (!most || end <= *most) return;
    fail_at(ErrorCode::Format, {.file = file_.name(), .field = "dim"}, "expected ", end, " bytes by its header, but ",
            gzip_ ? "the compressed file can hold at most " : "the file has only ", *most, "; it may be cut off");
  }

  // Verifies what follows the voxels and returns its length.
  std::uint64_t finish() {
    if (gzip_) return gzip_->finish(kMaxTrailingBytes);
    const std::uint64_t trailing = file_.size() - offset_;
    if (trailing > kMaxTrailingBytes) {
      fail_at(ErrorCode::Format, {.file = file_.name(), .field = "dim", .offset = detail_offset(offset_)},
              "expected at most ", kMaxTrailingBytes, " bytes after the voxels, got ", trailing);
    }
    return trailing;
  }

 private:
  const File& file_;
  std::optional<GzipReader> gzip_;
  std::uint64_t offset_ = 0;
};

class NiftiReader {
 public:
  NiftiReader(const std::string& path, const NiftiOptions& options)
      : file_(path), stream_(file_), options_(options), named_compressed_(path.ends_with(".gz")) {
    if (!options.prefer.empty() && options.prefer != "sform" && options.prefer != "qform") {
      fail(ErrorCode::Usage, "read_nifti: expected \"sform\" or \"qform\" for prefer, got \"", options.prefer, "\"");
    }
  }

  NiftiImage read_header() {
    std::vector<std::byte> start(kNifti1HeaderBytes + kNiftiExtenderBytes);
    start.resize(stream_.read_some(start.data(), start.size()));
    if (start.size() >= 4 && is_version_2(start)) read_more(start, kNifti2HeaderBytes + kNiftiExtenderBytes);
    header_ = parse_nifti_header(start, file_.name());
    check_size();
    check_extensions(start);
    return describe();
  }

  void read_voxels(NiftiImage& image) {
    const std::int64_t index = volume_index();
    const std::uint64_t volume_bytes = num_voxels_ * item_bytes();
    stream_.skip(static_cast<std::uint64_t>(index) * volume_bytes, "voxels", options_.cancel);
    // Reserved memory costs nothing until it is filled, and it is filled only as far as the file has data.
    image.voxels.reserve(num_voxels_);
    LargeVector<std::byte> raw(std::min<std::uint64_t>(num_voxels_, kChunkVoxels) * item_bytes());
    while (image.voxels.size() < num_voxels_) {
      if (options_.cancel != nullptr) options_.cancel->check();
      const std::size_t done = image.voxels.size();
      const std::size_t count = std::min(num_voxels_ - done, kChunkVoxels);
      stream_.read(raw.data(), count * item_bytes(), "voxels");
      image.voxels.resize(done + count);
      if (!convert_voxels(header_, raw.data(), count, &image.voxels[done])) {
        fail_at(ErrorCode::Unsupported, {.file = file_.name(), .field = "voxels"}, "expected ", header_.datatype->name,
                " voxels between -2^53 and 2^53; convert it to float32");
      }
    }
    stream_.skip(static_cast<std::uint64_t>(header_.num_volumes() - 1 - index) * volume_bytes, "voxels",
                 options_.cancel);
    if (const std::uint64_t trailing = stream_.finish(); trailing > 0) {
      image.warnings.push_back(concat("trailingBytes: ", trailing, " bytes follow the voxels"));
    }
  }

 private:
  static bool is_version_2(std::span<const std::byte> start) {
    constexpr auto kSize = static_cast<std::int32_t>(kNifti2HeaderBytes);
    return load<std::int32_t>(start.data()) == kSize || load<std::int32_t>(start.data(), true) == kSize;
  }

  void read_more(std::vector<std::byte>& bytes, std::size_t wanted) {
    const std::size_t have = bytes.size();
    bytes.resize(wanted);
    bytes.resize(have + stream_.read_some(&bytes[have], wanted - have));
  }

  std::size_t item_bytes() const { return static_cast<std::size_t>(header_.datatype->bits) / 8; }

  // Sizes by the header against limits and against the file, in arithmetic that cannot wrap.
  void check_size() {
    const auto [i, j, k] = header_.shape();
    const std::int64_t voxels = i * j * k;  // each at most kMaxAxisVoxels
    const ErrorDetail detail{.file = file_.name(), .field = "dim", .offset = detail_offset(header_.layout->dim)};
    if (voxels > options_.max_voxels) {
      fail_at(ErrorCode::Unsupported, detail, "expected at most ", options_.max_voxels, " voxels, got ", i, " x ", j,
              " x ", k);
    }
    num_voxels_ = static_cast<std::uint64_t>(voxels);
    const auto volumes = static_cast<std::uint64_t>(header_.num_volumes());
    const auto bytes = checked_multiply(num_voxels_ * item_bytes(), volumes);
    const auto end = bytes ? checked_add(*bytes, header_.vox_offset) : std::nullopt;
    if (!end) fail_at(ErrorCode::Format, detail, "expected a size below 2^64 bytes, got ", volumes, " volumes");
    stream_.check_data_size(*end);
  }

  // Walks the extensions up to the voxels, whose contents nobody reads: they may hold patient data.
  void check_extensions(std::span<const std::byte> start) {
    const std::uint64_t begin = start.size();
    const std::uint64_t bytes = header_.vox_offset - begin;
    const ErrorDetail detail{.file = file_.name(), .field = "extension", .offset = detail_offset(begin)};
    if (bytes > kMaxExtensionBytes) {
      fail_at(ErrorCode::Unsupported, detail, "expected at most ", kMaxExtensionBytes,
              " bytes of header extensions, got ", bytes);
    }
    std::vector<std::byte> list(static_cast<std::size_t>(bytes));
    stream_.read(list.data(), list.size(), "extension");
    const bool present = start[start.size() - kNiftiExtenderBytes] != std::byte{0};
    std::size_t count = 0;
    for (std::size_t at = 0; present && list.size() - at >= 8; ++count) {
      const std::int64_t size = load<std::int32_t>(&list[at], header_.big_endian);
      const auto room = static_cast<std::int64_t>(list.size() - at);
      if (size < 16 || size % 16 != 0 || size > room || count >= kMaxExtensions) {
        fail_at(ErrorCode::Format, {.file = file_.name(), .field = "extension", .offset = detail_offset(begin + at)},
                "expected at most ", kMaxExtensions, " header extensions whose sizes are multiples of 16 and end at ",
                "the voxels, got one of ", size, " bytes where ", room, " are left");
      }
      at += static_cast<std::size_t>(size);
    }
  }

  NiftiImage describe() const {
    NiftiImage image;
    ChosenAffine chosen = choose_affine(header_, options_.prefer, file_.name());
    image.shape = header_.shape();
    image.affine = chosen.affine;
    image.has_orientation = chosen.source != "none";
    image.affine_source = chosen.source;
    image.spacing_mm = {header_.pixdim[1], header_.pixdim[2], header_.pixdim[3]};
    image.datatype = header_.datatype->name;
    image.version = header_.layout->version;
    image.big_endian = header_.big_endian;
    image.compressed = stream_.compressed();
    image.num_volumes = header_.num_volumes();
    image.warnings = std::move(chosen.warnings);
    // Spacings outside 0.1 to 20 were refused, so metres and micrometres can only be a mistake in this field.
    const std::int64_t unit = header_.xyzt_units & 7;
    if (unit != 0 && unit != 2) {
      image.warnings.push_back("spatialUnits: the header does not say millimetres; its sizes were taken for them");
    }
    if (image.compressed != named_compressed_) {
      image.warnings.push_back(concat("fileName: the contents are ", image.compressed ? "" : "not ",
                                      "compressed, but the name says otherwise"));
    }
    return image;
  }

  std::int64_t volume_index() const {
    const std::int64_t count = header_.num_volumes();
    const std::int64_t index = options_.volume_index;
    const ErrorDetail detail{.file = file_.name(), .field = "dim", .offset = detail_offset(header_.layout->dim)};
    if (index < -1 || index >= count) {
      fail_at(ErrorCode::Usage, detail, "expected a volume index of 0 to ", count - 1, ", got ", index);
    }
    if (count > 1 && index < 0) {
      fail_at(ErrorCode::Unsupported, detail, "expected one volume, got ", count,
              "; choose one with `--volume-index N` (API: volumeIndex), N from 0 to ", count - 1);
    }
    return std::max<std::int64_t>(index, 0);
  }

  File file_;
  VolumeStream stream_;
  const NiftiOptions& options_;
  bool named_compressed_;
  NiftiHeader header_;
  std::uint64_t num_voxels_ = 0;
};

}  // namespace

NiftiImage read_nifti(const std::string& path, const NiftiOptions& options) {
  NiftiReader reader(path, options);
  NiftiImage image = reader.read_header();
  reader.read_voxels(image);
  return image;
}

NiftiImage read_nifti_header(const std::string& path, const NiftiOptions& options) {
  return NiftiReader(path, options).read_header();
}

}  // namespace brain3d::io
