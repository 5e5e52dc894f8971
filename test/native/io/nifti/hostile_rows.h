// Rows of the tables of hostile NIfTI files, and the ways to make their files.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "io/io_test_support.h"
#include "io/nifti/nifti_builder.h"

namespace brain3d::io::hostile {

using namespace std::string_literals;
using test::kInf;
using test::kNan;
using test::NiftiBuilder;
using test::TempDir;

using Paths = std::vector<std::string>;
using Make = std::function<Paths(const TempDir&)>;
using Change = std::function<void(NiftiBuilder&)>;

struct Row {
  const char* id;
  const char* what;
  Make make;
  // Refused: code, field, part of the message. Accepted: the name of the only warning, or "".
  std::optional<ErrorCode> code;
  const char* field;
  const char* part;
  NiftiOptions options = {};
};

inline Row refused(const char* id, const char* what, Make make, ErrorCode code, const char* field, const char* part) {
  return {id, what, std::move(make), code, field, part};
}
inline Row accepted(const char* id, const char* what, Make make, const char* warning = "", NiftiOptions options = {}) {
  return {id, what, std::move(make), std::nullopt, "", warning, std::move(options)};
}

inline Make file(const std::string& name, const std::string& bytes) {
  return [=](const TempDir& dir) { return Paths{dir.write(name, bytes)}; };
}
inline Make plain(const std::string& bytes) { return file("v.nii", bytes); }
inline Make packed(const std::string& bytes) { return file("v.nii.gz", bytes); }

enum Form { kPlain = 1, kPacked = 2, kBoth = 3 };

// The change in both versions and byte orders.
inline Make each(const Change& change, Form form = kBoth) {
  return [=](const TempDir& dir) {
    Paths paths;
    for (const NiftiLayout* layout : {&kNifti1Layout, &kNifti2Layout}) {
      for (const bool big_endian : {false, true}) {
        NiftiBuilder builder(*layout, big_endian);
        change(builder);
        const std::string name = concat("v", layout->version, big_endian ? "b" : "l");
        if (form & kPlain) paths.push_back(dir.write(name + ".nii", builder.bytes()));
        if (form & kPacked) paths.push_back(dir.write(name + ".nii.gz", gzip_compress(builder.bytes())));
      }
    }
    return paths;
  };
}
inline Make dims(const std::vector<std::int64_t>& sizes) {
  return each([=](NiftiBuilder& b) { b.dim(sizes); });
}
inline Make first_version(const Change& change) {
  return [=](const TempDir& dir) {
    NiftiBuilder builder;
    change(builder);
    return Paths{dir.write("v.nii", builder.bytes())};
  };
}
// The file cut to each of these lengths.
inline Make cuts(const std::string& name, const std::string& bytes, std::size_t begin, std::size_t end) {
  return [=](const TempDir& dir) {
    Paths paths;
    for (std::size_t size = begin; size < end; ++size) {
      paths.push_back(dir.write(std::to_string(size) + name, bytes.substr(0, size)));
    }
    return paths;
  };
}

inline std::string good() { return NiftiBuilder().bytes(); }
inline std::string with_magic(const std::string& magic) { return good().replace(344, magic.size(), magic); }
// One voxel behind an extension list.
inline std::string extended(const std::string& list) {
  NiftiBuilder builder;
  builder.no_data().put(348, std::uint8_t{1}).text(list).vox_offset(static_cast<double>(352 + list.size()));
  return builder.dim({3, 1, 1, 1}).append(std::int16_t{42}).bytes();
}
inline std::string extension(std::int32_t size) { return test::raw(size) + std::string(28, 'x'); }

/// Rows on the shape, the other fields and the affines of a header.
std::vector<Row> shape_rows();
std::vector<Row> field_rows();
std::vector<Row> affine_rows();

}  // namespace brain3d::io::hostile
