// Files as the readers and writers see them. Input is untrusted: only regular files are opened, nothing blocks, and
// a message names the base name alone because the rest of a path may identify a patient.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace brain3d::io {

/// The last component of `path`, fit for a message (see printable).
std::string base_name(const std::string& path);

/// Owns a file descriptor; closes it.
class Descriptor {
 public:
  explicit Descriptor(int fd = -1) noexcept : fd_(fd) {}
  ~Descriptor();
  Descriptor(Descriptor&& other) noexcept : fd_(other.release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept;
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  int get() const noexcept { return fd_; }
  /// Gives up ownership.
  int release() noexcept;

 private:
  int fd_;
};

/// A regular file opened for reading. Safe to read from several threads at once.
class File {
 public:
  /// Throws NotFound if nothing is there, Io if the system refuses, Format if it is no regular file (a directory,
  /// FIFO, socket or device).
  explicit File(const std::string& path);

  /// Size in bytes when the file was opened.
  std::uint64_t size() const noexcept { return size_; }
  /// Base name, fit for a message.
  const std::string& name() const noexcept { return name_; }
  int descriptor() const noexcept { return descriptor_.get(); }

  /// Fills `out` with the `bytes` bytes at `offset`. Throws Format if the file is too short, Io if reading fails or
  /// the file shrank since it was opened.
  void read_exact(std::uint64_t offset, void* out, std::size_t bytes) const;

 private:
  std::string name_;
  Descriptor descriptor_;
  std::uint64_t size_ = 0;
};

/// A regular file mapped for reading. For model weights only: should another program truncate the file meanwhile,
/// touching the missing part kills the process (SIGBUS). Small and short-lived files are read with File.
class MappedFile {
 public:
  /// Throws as File does.
  explicit MappedFile(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  /// Null for an empty file. Page-aligned.
  const std::byte* data() const noexcept { return data_; }
  std::uint64_t size() const noexcept { return size_; }
  const std::string& name() const noexcept { return name_; }

  /// Lets the system drop the whole pages inside [offset, offset + bytes); they are read again when touched. Called
  /// after each tensor it keeps the resident memory of a load flat.
  void release(std::uint64_t offset, std::uint64_t bytes) const noexcept;

 private:
  std::string name_;
  const std::byte* data_ = nullptr;
  std::uint64_t size_ = 0;
};

/// The whole file. Throws as File does, and Format if it has more than `max_bytes` bytes.
std::string read_text(const std::string& path, std::uint64_t max_bytes);

/// A file that appears under its name complete or not at all: written to a temporary file in the same directory
/// (mode 0600), flushed to the disk and renamed. An existing file is replaced; a symbolic link is replaced, not
/// followed. Throws NotFound if the directory is not there, Io if the system refuses.
class AtomicFile {
 public:
  explicit AtomicFile(const std::string& path);
  /// Removes the temporary file unless `commit` succeeded.
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(const void* bytes, std::size_t count);
  /// Makes what was written the file. Call once, last.
  void commit();

 private:
  [[noreturn]] void fail_errno(const char* action, int error) const;

  std::string target_;     // file name inside the directory
  std::string temporary_;  // empty once renamed or removed
  std::string name_;       // target_, fit for a message
  Descriptor directory_;
  Descriptor descriptor_;
};

}  // namespace brain3d::io
