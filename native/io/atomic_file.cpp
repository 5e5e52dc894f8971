#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <system_error>

#include "io/failure.h"
#include "io/file.h"

namespace brain3d::io {
namespace {

constexpr int kMaxNameAttempts = 100;

// Not derived from the target's name, which may already have the greatest length a name can have.
std::string temporary_name() {
  static std::atomic<std::uint64_t> counter{0};
  return concat(".brain3d-", ::getpid(), "-", counter.fetch_add(1, std::memory_order_relaxed), ".partial");
}

}  // namespace

AtomicFile::AtomicFile(const std::string& path) : name_(base_name(path)) {
  const std::size_t slash = path.rfind('/');
  target_ = slash == std::string::npos ? path : path.substr(slash + 1);
  if (target_.empty() || target_ == "." || target_ == ".." || path.find('\0') != std::string::npos) {
    fail_at(ErrorCode::Usage, {.file = name_}, "expected the path of a file to write");
  }
  const std::string directory = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  directory_ = Descriptor(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory_.get() < 0) fail_errno("cannot open its directory", errno);

  // A name can be taken: a process killed while writing leaves its file, and process ids come again.
  for (int attempt = 0; attempt < kMaxNameAttempts && descriptor_.get() < 0; ++attempt) {
    temporary_ = temporary_name();
    descriptor_ = Descriptor(
        ::openat(directory_.get(), temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (descriptor_.get() < 0 && errno != EEXIST) break;
  }
  if (descriptor_.get() < 0) fail_errno("cannot create a temporary file beside it", errno);
}

AtomicFile::~AtomicFile() {
  if (!temporary_.empty()) ::unlinkat(directory_.get(), temporary_.c_str(), 0);
}

void AtomicFile::write(const void* bytes, std::size_t count) {
  const auto* at = static_cast<const std::byte*>(bytes);
  while (count > 0) {
    const ssize_t written = ::write(descriptor_.get(), at, count);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail_errno("cannot write it", errno);
    at += written;
    count -= static_cast<std::size_t>(written);
  }
}

void AtomicFile::commit() {
  if (::fsync(descriptor_.get()) != 0) fail_errno("cannot flush it to the disk", errno);
  // Some network file systems report a failed write only here.
  if (::close(descriptor_.release()) != 0) fail_errno("cannot close it", errno);
  if (::renameat(directory_.get(), temporary_.c_str(), directory_.get(), target_.c_str()) != 0) {
    fail_errno("cannot put it in place", errno);
  }
  temporary_.clear();
  // Some file systems cannot flush a directory; they say so with EINVAL.
  if (::fsync(directory_.get()) != 0 && errno != EINVAL) fail_errno("cannot flush its directory to the disk", errno);
}

void AtomicFile::fail_errno(const char* action, int error) const {
  const ErrorCode code = error == ENOENT || error == ENOTDIR ? ErrorCode::NotFound : ErrorCode::Io;
  fail_at(code, {.file = name_}, action, ": ", std::generic_category().message(error));
}

}  // namespace brain3d::io
