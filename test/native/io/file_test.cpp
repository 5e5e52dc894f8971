#include "io/file.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <csignal>

#include <cstring>
#include <vector>

#include "io/io_test_support.h"
#include "io/text.h"

namespace brain3d::io {
namespace {

using test::check_refused;
using test::read_back;
using test::TempDir;

std::vector<std::string> names_in(const std::string& directory) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) names.push_back(entry.path().filename());
  return names;
}

TEST_CASE("a base name leaves out the directories and escapes what a terminal would act on") {
  CHECK(base_name("/data/patient 7/scan.nii.gz") == "scan.nii.gz");
  CHECK(base_name("scan.nii") == "scan.nii");
  CHECK(base_name("/data/dir/") == "dir");
  CHECK(base_name("/") == "/");
  CHECK(base_name("/data/a\nb\x1b[31m.nii") == "a\\x0ab\\x1b[31m.nii");
  CHECK(base_name("/data/\xff.nii") == "\\xff.nii");
  CHECK(base_name("/data/gr\xc3\xbc\xc3\x9f.nii") == "gr\xc3\xbc\xc3\x9f.nii");
}

TEST_CASE("printable text keeps letters, escapes marks of direction and is cut to its limit") {
  CHECK(printable("a\xe2\x80\xae"
                  "b") ==
        "a\\xe2\\x80\\xae"
        "b");
  CHECK(printable(std::string(10, 'x'), 4) == "xxxx...");
  CHECK(is_utf8("\xf0\x9f\xa7\xa0"));
  for (const char* bad : {"\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "\x80", "\xf5"}) {
    CHECK_FALSE(is_utf8(bad));
  }
}

TEST_CASE("a file gives its size and the bytes asked for") {
  const TempDir dir;
  const File file(dir.write("a.bin", "0123456789"));
  char bytes[4] = {};
  file.read_exact(6, bytes, 4);
  CHECK(file.size() == 10);
  CHECK(file.name() == "a.bin");
  CHECK(std::string(bytes, 4) == "6789");
}

TEST_CASE("rejects a read beyond the end of a file") {
  const TempDir dir;
  const File file(dir.write("a.bin", "0123456789"));
  char bytes[4] = {};
  check_refused([&] { file.read_exact(7, bytes, 4); }, ErrorCode::Format, "has only 10 bytes");
  check_refused([&] { file.read_exact(~std::uint64_t{0}, bytes, 4); }, ErrorCode::Format, "has only 10 bytes");
}

TEST_CASE("rejects a read of a file that was cut while it was open") {
  const TempDir dir;
  const std::string path = dir.write("a.bin", "0123456789");
  const File file(path);
  std::filesystem::resize_file(path, 5);
  char bytes[10] = {};
  check_refused([&] { file.read_exact(0, bytes, 10); }, ErrorCode::Io, "became shorter");
}

TEST_CASE("rejects what is not a regular file, without waiting for a writer") {
  const TempDir dir;
  REQUIRE(::mkfifo(dir.file("fifo").c_str(), 0600) == 0);
  const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, dir.file("sock").c_str(), sizeof(address.sun_path) - 1);
  REQUIRE(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
  ::close(fd);
  for (const std::string& path : {dir.file("fifo"), dir.file("sock"), dir.path(), std::string("/dev/zero")}) {
    check_refused([&] { File{path}; }, ErrorCode::Format, "expected a regular file");
    check_refused([&] { MappedFile{path}; }, ErrorCode::Format, "expected a regular file");
  }
}

TEST_CASE("rejects paths that lead nowhere and never shows more than their last part") {
  const TempDir dir;
  std::filesystem::create_symlink("loop", dir.file("loop"));
  std::filesystem::create_symlink("nowhere", dir.file("dangling"));
  check_refused([&] { File{dir.file("absent.nii")}; }, ErrorCode::NotFound, "absent.nii: cannot open");
  check_refused([&] { File{dir.file("dangling")}; }, ErrorCode::NotFound, "dangling");
  check_refused([&] { File{dir.write("f", "x") + "/below"}; }, ErrorCode::NotFound, "below");
  check_refused([&] { File{dir.file("loop")}; }, ErrorCode::Io, "loop");
  check_refused([&] { File{dir.file(std::string(5000, 'x'))}; }, ErrorCode::Io, "xxx");
  check_refused([&] { File{std::string("a\0b", 3)}; }, ErrorCode::Usage, "NUL");
  try {
    File{dir.file("absent.nii")};
  } catch (const Error& error) {
    CHECK(error.detail().file == "absent.nii");
    CHECK(std::string(error.what()).find(dir.path()) == std::string::npos);
  }
}

TEST_CASE("a mapped file shows the same bytes after its pages were released") {
  const TempDir dir;
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  std::string bytes(5 * page + 17, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 31 >> 3);
  const MappedFile file(dir.write("m.bin", bytes));
  REQUIRE(file.size() == bytes.size());
  CHECK(std::memcmp(file.data(), bytes.data(), bytes.size()) == 0);
  for (const auto& [offset, count] : {std::pair<std::uint64_t, std::uint64_t>{0, file.size()},
                                      {1, page},
                                      {3 * page, 2 * page},
                                      {file.size(), 1},
                                      {10 * page, page},
                                      {page, ~std::uint64_t{0}}}) {
    file.release(offset, count);
  }
  CHECK(std::memcmp(file.data(), bytes.data(), bytes.size()) == 0);
}

TEST_CASE("releasing a range of a mapped file drops its whole pages and no others") {
  const TempDir dir;
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const std::string bytes(4 * page, 'x');
  const MappedFile file(dir.write("m.bin", bytes));
  CHECK(std::memcmp(file.data(), bytes.data(), bytes.size()) == 0);  // faults every page in
  const auto resident_kib = [&] {
    std::ifstream maps("/proc/self/smaps");
    std::string line;
    bool inside = false;
    while (std::getline(maps, line)) {
      if (line.find("m.bin") != std::string::npos) inside = true;
      if (inside && line.starts_with("Rss:")) return std::stoul(line.substr(4));
    }
    return 0UL;
  };
  const unsigned long before = resident_kib();
  file.release(page / 2, 2 * page);  // only the second page lies wholly inside
  CHECK(before - resident_kib() == page / 1024);
}

TEST_CASE("an empty file maps to nothing") {
  const TempDir dir;
  const MappedFile file(dir.write("empty", ""));
  CHECK(file.size() == 0);
  CHECK(file.data() == nullptr);
  file.release(0, 0);
}

TEST_CASE("text is read whole up to its limit and refused beyond it") {
  const TempDir dir;
  const std::string path = dir.write("t.txt", "hello");
  CHECK(read_text(path, 5) == "hello");
  check_refused([&] { read_text(path, 4); }, ErrorCode::Format, "expected at most 4 bytes, got 5");
}

TEST_CASE("an atomic file appears on commit, complete, private and alone") {
  const TempDir dir;
  AtomicFile file(dir.file("out.bin"));
  file.write("hello ", 6);
  file.write("world", 5);
  CHECK_FALSE(std::filesystem::exists(dir.file("out.bin")));
  file.commit();
  CHECK(read_back(dir.file("out.bin")) == "hello world");
  CHECK(names_in(dir.path()) == std::vector<std::string>{"out.bin"});
  struct stat status = {};
  REQUIRE(::stat(dir.file("out.bin").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
}

TEST_CASE("an atomic file that is not committed leaves the old file and nothing else") {
  const TempDir dir;
  dir.write("out.bin", "old");
  {
    AtomicFile file(dir.file("out.bin"));
    file.write("new", 3);
  }
  CHECK(read_back(dir.file("out.bin")) == "old");
  CHECK(names_in(dir.path()) == std::vector<std::string>{"out.bin"});
}

TEST_CASE("an atomic file replaces a symbolic link instead of writing through it") {
  const TempDir dir;
  dir.write("elsewhere", "keep");
  std::filesystem::create_symlink("elsewhere", dir.file("out.bin"));
  AtomicFile file(dir.file("out.bin"));
  file.write("new", 3);
  file.commit();
  CHECK(read_back(dir.file("elsewhere")) == "keep");
  CHECK_FALSE(std::filesystem::is_symlink(dir.file("out.bin")));
}

TEST_CASE("two atomic files for one path do not meet, and the last to commit wins") {
  const TempDir dir;
  AtomicFile first(dir.file("out.bin"));
  AtomicFile second(dir.file("out.bin"));
  first.write("first", 5);
  second.write("second", 6);
  second.commit();
  first.commit();
  CHECK(read_back(dir.file("out.bin")) == "first");
}

TEST_CASE("a file may be replaced while it is mapped") {
  const TempDir dir;
  const MappedFile mapped(dir.write("w.bin", "old bytes"));
  AtomicFile file(dir.file("w.bin"));
  file.write("new", 3);
  file.commit();
  CHECK(std::memcmp(mapped.data(), "old bytes", 9) == 0);
}

TEST_CASE("rejects places where no file can be written") {
  const TempDir dir;
  std::filesystem::create_directory(dir.file("taken"));
  check_refused([&] { AtomicFile{dir.file("no/such/out.bin")}; }, ErrorCode::NotFound, "cannot open its directory");
  check_refused([&] { AtomicFile{dir.path() + "/"}; }, ErrorCode::Usage, "expected the path of a file");
  check_refused([&] { AtomicFile{".."}; }, ErrorCode::Usage, "expected the path of a file");
  check_refused([&] { AtomicFile{dir.file(std::string("a\0b", 3))}; }, ErrorCode::Usage, "expected the path of a file");
  check_refused(
      [&] {
        AtomicFile file(dir.file("taken"));
        file.commit();
      },
      ErrorCode::Io, "cannot put it in place");
  check_refused(
      [&] {
        AtomicFile file(dir.file(std::string(300, 'x')));
        file.commit();
      },
      ErrorCode::Io, "cannot put it in place");
  CHECK(names_in(dir.path()) == std::vector<std::string>{"taken"});
}

TEST_CASE("a full disk is an error and leaves nothing behind") {
  const TempDir dir;
  AtomicFile file(dir.file("out.bin"));
  rlimit old = {};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &old) == 0);
  const auto old_handler = ::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{1024, old.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
  const std::string bytes(4096, 'x');
  check_refused([&] { file.write(bytes.data(), bytes.size()); }, ErrorCode::Io, "cannot write it");
  ::setrlimit(RLIMIT_FSIZE, &old);
  ::signal(SIGXFSZ, old_handler);
  CHECK_FALSE(std::filesystem::exists(dir.file("out.bin")));
}

}  // namespace
}  // namespace brain3d::io
