#include <sys/stat.h>

#include <algorithm>
#include <set>

#include "io/failure.h"
#include "io/json.h"
#include "io/safetensors/safetensors.h"
#include "io/text.h"

namespace brain3d::io {
namespace {

constexpr const char* kSingleFile = "model.safetensors";
constexpr const char* kIndexFile = "model.safetensors.index.json";
constexpr std::size_t kMaxShards = 1000;
constexpr std::string_view kShardSuffix = ".safetensors";

bool exists(const std::string& path) {
  struct stat status = {};
  return ::stat(path.c_str(), &status) == 0;
}

// A list of what is allowed, not of what is not: slashes, "..", "~", "%2e" and drive letters all fall out of it.
bool is_plain_file_name(std::string_view name) {
  constexpr std::size_t kMaxNameBytes = 255;
  if (name.empty() || name.size() > kMaxNameBytes || name.front() == '.') return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    return letter || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
  });
}

struct Index {
  std::string name;
  std::map<std::string, std::string> shard_of_tensor;
  std::set<std::string> shards;
  std::optional<std::uint64_t> total_size;

  template <typename... Parts>
  [[noreturn]] void refuse(const Parts&... parts) const {
    fail_at(ErrorCode::Format, {.file = name, .field = "weight_map"}, parts...);
  }
};

Index read_index(const std::string& path) {
  Index index;
  index.name = base_name(path);
  const Json json = read_json(path, kMaxSafetensorsHeaderBytes);
  if (!json.is_object() || !json.contains("weight_map") || !json["weight_map"].is_object()) {
    index.refuse("expected an object \"weight_map\" of tensor names and file names");
  }
  const Json& weight_map = json["weight_map"];
  if (weight_map.empty() || weight_map.size() > kMaxTensors) {
    index.refuse("expected 1 to ", kMaxTensors, " tensors, got ", weight_map.size());
  }
  for (const auto& [tensor, shard] : weight_map.items()) {
    if (!shard.is_string()) index.refuse("expected a file name for tensor \"", printable(tensor), "\"");
    const auto& file = shard.get_ref<const std::string&>();
    if (!is_plain_file_name(file) || !file.ends_with(kShardSuffix)) {
      index.refuse("expected the name of a .safetensors file in the same directory, got \"", printable(file), "\"");
    }
    index.shard_of_tensor.emplace(tensor, file);
    index.shards.insert(file);
  }
  if (index.shards.size() > kMaxShards) {
    index.refuse("expected at most ", kMaxShards, " files, got ", index.shards.size());
  }
  const Json::json_pointer pointer("/metadata/total_size");
  if (json.contains(pointer) && json[pointer].is_number_unsigned()) index.total_size = json[pointer];
  return index;
}

}  // namespace

SafetensorsSet SafetensorsSet::open_file(const std::string& path) {
  SafetensorsSet set;
  const SafetensorsFile& file = set.add_file(path);
  for (const auto& [tensor, entry] : file.tensors()) set.tensors_.emplace(tensor, Located{&file, &entry});
  return set;
}

SafetensorsSet SafetensorsSet::open_directory(const std::string& dir) {
  const std::string single = dir + "/" + kSingleFile;
  const std::string index = dir + "/" + kIndexFile;
  if (exists(single)) return open_file(single);
  if (!exists(index)) {
    fail_at(ErrorCode::NotFound, {.file = base_name(dir)}, "expected ", kSingleFile, " or ", kIndexFile,
            " in this directory, found neither");
  }
  SafetensorsSet set;
  set.add_shards(dir, index);
  return set;
}

std::vector<std::string> SafetensorsSet::files() const {
  std::vector<std::string> names;
  for (const auto& file : files_) names.push_back(file->name());
  std::sort(names.begin(), names.end());
  return names;
}

const SafetensorsFile& SafetensorsSet::add_file(const std::string& path) {
  files_.push_back(std::make_unique<SafetensorsFile>(path));
  const SafetensorsFile& file = *files_.back();
  for (const std::string& warning : file.warnings()) warnings_.push_back(file.name() + ": " + warning);
  return file;
}

void SafetensorsSet::add_shards(const std::string& dir, const std::string& index_path) {
  const Index index = read_index(index_path);
  for (const std::string& shard : index.shards) {
    const SafetensorsFile& file = add_file(dir + "/" + shard);
    for (const auto& [tensor, entry] : file.tensors()) {
      const auto listed = index.shard_of_tensor.find(tensor);
      if (listed == index.shard_of_tensor.end()) {
        index.refuse("tensor \"", printable(tensor), "\" of ", shard, " is not listed");
      }
      if (listed->second != shard) {
        index.refuse("tensor \"", printable(tensor), "\" is listed for ", listed->second, " but is in ", shard);
      }
      tensors_.emplace(tensor, Located{&file, &entry});
    }
  }
  for (const auto& [tensor, shard] : index.shard_of_tensor) {
    if (!tensors_.contains(tensor)) index.refuse("tensor \"", printable(tensor), "\" is not in ", shard);
  }
  if (index.total_size) check_total_size(index.name, *index.total_size);
}

// Some published models count tied tensors twice here, and nothing depends on the number: a warning.
void SafetensorsSet::check_total_size(const std::string& index_name, std::uint64_t declared) {
  std::uint64_t bytes = 0;
  for (const auto& [tensor, located] : tensors_) bytes += located.entry->end - located.entry->begin;
  if (bytes != declared) {
    warnings_.push_back(concat(index_name, ": total_size is ", declared, ", but the tensors have ", bytes, " bytes"));
  }
}

}  // namespace brain3d::io
