// Zip archives and pickles made byte by byte, as torch.save would write them or as nobody should.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <zlib.h>

#include "io/io_test_support.h"

namespace brain3d::io::test {

// One entry as torch.save writes it, with every field open to lies.
struct ZipPart {
  std::string name;
  std::string contents;
  std::uint16_t flags = 0;
  std::uint16_t method = 0;
  std::string local_name = name;
  std::uint32_t crc =
      static_cast<std::uint32_t>(crc32_z(0, reinterpret_cast<const Bytef*>(contents.data()), contents.size()));
  std::uint32_t size = static_cast<std::uint32_t>(contents.size());
  std::string descriptor = {};
  std::string central_extra = {};
  std::int64_t header_offset = -1;  // -1: where it is
};

inline std::string local_header(const ZipPart& part) {
  const bool later = (part.flags & 8U) != 0;
  return raw(0x04034B50U) + raw(std::uint16_t{20}) + raw(part.flags) + raw(part.method) + raw(0U) +
         raw(later ? 0U : part.crc) + raw(later ? 0U : part.size) + raw(later ? 0U : part.size) +
         raw(static_cast<std::uint16_t>(part.local_name.size())) + raw(std::uint16_t{0}) + part.local_name;
}

inline std::string central_header(const ZipPart& part, std::uint32_t offset) {
  return raw(0x02014B50U) + raw(std::uint16_t{20}) + raw(std::uint16_t{20}) + raw(part.flags) + raw(part.method) +
         raw(0U) + raw(part.crc) + raw(part.size) + raw(part.size) + raw(static_cast<std::uint16_t>(part.name.size())) +
         raw(static_cast<std::uint16_t>(part.central_extra.size())) + std::string(8, '\0') + raw(std::uint16_t{0}) +
         raw(part.header_offset < 0 ? offset : static_cast<std::uint32_t>(part.header_offset)) + part.name +
         part.central_extra;
}

inline std::string end_record(std::uint16_t entries, std::uint32_t bytes, std::uint32_t offset) {
  return raw(0x06054B50U) + raw(0U) + raw(entries) + raw(entries) + raw(bytes) + raw(offset) + raw(std::uint16_t{0});
}

inline std::string zip64_records(std::uint64_t entries, std::uint64_t bytes, std::uint64_t offset) {
  return raw(0x06064B50U) + raw(std::uint64_t{44}) + raw(0x001E001EU) + raw(0U) + raw(0U) + raw(entries) +
         raw(entries) + raw(bytes) + raw(offset) + raw(0x07064B50U) + raw(0U) + raw(offset + bytes) + raw(1U);
}

struct ZipBody {
  std::string bytes;
  std::string directory;
};

inline ZipBody zip_body(const std::vector<ZipPart>& parts) {
  ZipBody body;
  for (const ZipPart& part : parts) {
    body.directory += central_header(part, static_cast<std::uint32_t>(body.bytes.size()));
    body.bytes += local_header(part) + part.contents + part.descriptor;
  }
  return body;
}

inline std::string zip(const std::vector<ZipPart>& parts) {
  const ZipBody body = zip_body(parts);
  return body.bytes + body.directory +
         end_record(static_cast<std::uint16_t>(parts.size()), static_cast<std::uint32_t>(body.directory.size()),
                    static_cast<std::uint32_t>(body.bytes.size()));
}

inline std::string unicode(const std::string& text) {
  return "X" + raw(static_cast<std::uint32_t>(text.size())) + text;
}
inline std::string pickle_of(const std::string& body) { return "\x80\x02" + body + "."; }
inline std::string global(const std::string& module, const std::string& name) {
  return "c" + module + "\n" + name + "\n";
}
inline std::string big_endian(double value) {
  std::string bytes = raw(value);
  return {bytes.rbegin(), bytes.rend()};
}

inline const std::string kOrderedDict = global("collections", "OrderedDict") + ")R";

// Pickle code of a tensor; the strings are code as well.
struct TensorCode {
  std::string type = "FloatStorage";
  std::string key = unicode("0");
  std::string count = "K\x06";
  std::string offset = std::string("K\0", 2);
  std::string shape = "K\x02K\x03\x86";
  std::string strides = "K\x03K\x01\x86";

  std::string storage() const {
    return "(" + unicode("storage") + global("torch", type) + key + unicode("cuda:0") + count + "tQ";
  }
  std::string code() const {
    return global("torch._utils", "_rebuild_tensor_v2") + "(" + storage() + offset + shape + strides + "\x89" +
           kOrderedDict + "tR";
  }
};

}  // namespace brain3d::io::test
