#include "io/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <system_error>
#include <utility>

#include "io/failure.h"
#include "io/text.h"

namespace brain3d::io {
namespace {

const char* file_kind(mode_t mode) {
  if (S_ISDIR(mode)) return "a directory";
  if (S_ISFIFO(mode)) return "a FIFO";
  if (S_ISSOCK(mode)) return "a socket";
  if (S_ISCHR(mode) || S_ISBLK(mode)) return "a device";
  return "something else";
}

[[noreturn]] void fail_open(const std::string& name, int error) {
  // A socket cannot be opened at all, so fstat never gets to say what it is.
  if (error == ENXIO) fail_at(ErrorCode::Format, {.file = name}, "expected a regular file, got a socket or a device");
  const ErrorCode code = error == ENOENT || error == ENOTDIR ? ErrorCode::NotFound : ErrorCode::Io;
  fail_at(code, {.file = name}, "cannot open it for reading: ", std::generic_category().message(error));
}

}  // namespace

std::string base_name(const std::string& path) {
  std::size_t end = path.size();
  while (end > 1 && path[end - 1] == '/') --end;
  const std::string trimmed = path.substr(0, end);
  const std::size_t slash = trimmed.rfind('/');
  const bool whole = slash == std::string::npos || trimmed.size() == 1;
  return printable(whole ? trimmed : trimmed.substr(slash + 1), NAME_MAX);
}

Descriptor::~Descriptor() {
  if (fd_ >= 0) ::close(fd_);
}

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  if (this != &other) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = other.release();
  }
  return *this;
}

int Descriptor::release() noexcept { return std::exchange(fd_, -1); }

File::File(const std::string& path) : name_(base_name(path)) {
  // The system's calls end at the first NUL and would open another file than the one that was named.
  if (path.find('\0') != std::string::npos) {
    fail_at(ErrorCode::Usage, {.file = name_}, "a path cannot contain a NUL character");
  }
  // O_NONBLOCK: opening a FIFO without a writer would otherwise wait for ever.
  descriptor_ = Descriptor(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
  if (descriptor_.get() < 0) fail_open(name_, errno);
  struct stat status = {};
  if (::fstat(descriptor_.get(), &status) != 0) fail_open(name_, errno);
  if (!S_ISREG(status.st_mode)) {
    fail_at(ErrorCode::Format, {.file = name_}, "expected a regular file, got ", file_kind(status.st_mode));
  }
  size_ = static_cast<std::uint64_t>(status.st_size);
}

void File::read_exact(std::uint64_t offset, void* out, std::size_t bytes) const {
  if (offset > size_ || bytes > size_ - offset) {
    fail_at(ErrorCode::Format, {.file = name_, .offset = detail_offset(offset)}, "expected ", bytes,
            " bytes at offset ", offset, ", but the file has only ", size_, " bytes; it may be cut off");
  }
  auto* at = static_cast<std::byte*>(out);
  while (bytes > 0) {
    const ssize_t count = ::pread(descriptor_.get(), at, bytes, static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    const ErrorDetail detail{.file = name_, .offset = detail_offset(offset)};
    if (count < 0) fail_at(ErrorCode::Io, detail, "reading failed: ", std::generic_category().message(errno));
    if (count == 0) fail_at(ErrorCode::Io, detail, "the file became shorter while it was read");
    const auto done = static_cast<std::size_t>(count);
    at += done;
    offset += done;
    bytes -= done;
  }
}

MappedFile::MappedFile(const std::string& path) {
  const File file(path);
  name_ = file.name();
  size_ = file.size();
  if (size_ == 0) return;
  void* address = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file.descriptor(), 0);
  if (address == MAP_FAILED) {
    const ErrorCode code = errno == ENOMEM ? ErrorCode::OutOfMemory : ErrorCode::Io;
    fail_at(code, {.file = name_}, "cannot map it into memory: ", std::generic_category().message(errno));
  }
  data_ = static_cast<const std::byte*>(address);
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

void MappedFile::release(std::uint64_t offset, std::uint64_t bytes) const noexcept {
  static const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  if (data_ == nullptr || offset >= size_) return;
  const std::uint64_t stop = offset + std::min(bytes, size_ - offset);
  const std::uint64_t first = (offset + page - 1) / page * page;
  const std::uint64_t last = stop / page * page;
  // A hint: if the system does not take it, the pages merely stay.
  if (first < last) ::madvise(const_cast<std::byte*>(data_) + first, last - first, MADV_DONTNEED);
}

std::string read_text(const std::string& path, std::uint64_t max_bytes) {
  const File file(path);
  if (file.size() > max_bytes) {
    fail_at(ErrorCode::Format, {.file = file.name()}, "expected at most ", max_bytes, " bytes, got ", file.size());
  }
  std::string text(static_cast<std::size_t>(file.size()), '\0');
  file.read_exact(0, text.data(), text.size());
  return text;
}

}  // namespace brain3d::io
