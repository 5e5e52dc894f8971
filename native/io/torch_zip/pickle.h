// Python pickles of plain data and tensors, read by a machine that knows the 28 opcodes torch.save needs for a state
// dict and four families of names. Nothing in the file is ever called: a name stands for one of the cases below or is
// refused. Not a general unpickler, and never to become one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include "io/dtype.h"

namespace brain3d::io {

inline constexpr std::size_t kMaxPickleBytes = std::size_t{8} << 20;
inline constexpr std::int64_t kMaxPickleOps = 200'000;

struct PickleValue;
using PickleTuple = std::vector<PickleValue>;

struct PickleNone {};

/// A name the pickle refers to. Recognised, never resolved to anything that runs.
enum class PickleGlobal { OrderedDict, RebuildTensor, RebuildParameter };

struct PickleStorageType {
  DType dtype;
};

/// The persistent id ("storage", type, key, location, numel); the bytes are elsewhere. The location is dropped.
struct PickleStorage {
  DType dtype = DType::F32;
  std::string_view key;  // a string of the document
  std::uint64_t num_elements = 0;
};

/// A view of a storage, in elements; nothing about it has been checked against the storage.
struct PickleTensor {
  PickleStorage storage;
  std::int64_t offset = 0;
  std::vector<std::int64_t> shape;
  std::vector<std::int64_t> strides;
};

struct PickleDict {
  std::map<std::string_view, PickleValue> entries;  // keys are strings of the document: sharing one costs nothing
  bool ordered = false;
};

/// Strings, tuples, dictionaries, storages and tensors are owned by the document, so that a value is small, shared
/// references cost nothing and no depth of nesting in the file becomes a depth of recursion here.
struct PickleValue {
  std::variant<PickleNone, bool, std::int64_t, double, PickleGlobal, PickleStorageType, const std::string*,
               const PickleTuple*, PickleDict*, const PickleStorage*, const PickleTensor*>
      value;

  /// Null, or the value if it has type T (for the pointer types: the pointee).
  template <typename T>
  const T* get() const {
    if constexpr (std::is_same_v<T, PickleDict>) {
      const auto* held = std::get_if<PickleDict*>(&value);
      return held == nullptr ? nullptr : *held;
    } else if constexpr (std::is_same_v<T, std::string> || std::is_same_v<T, PickleTuple> ||
                         std::is_same_v<T, PickleStorage> || std::is_same_v<T, PickleTensor>) {
      const auto* held = std::get_if<const T*>(&value);
      return held == nullptr ? nullptr : *held;
    } else {
      return std::get_if<T>(&value);
    }
  }
};

struct PickleDocument {
  PickleValue root;
  std::deque<std::string> strings;
  std::deque<PickleTuple> tuples;
  std::deque<PickleDict> dicts;
  std::deque<PickleStorage> storages;
  std::deque<PickleTensor> tensors;

  PickleDocument() = default;
  PickleDocument(PickleDocument&&) = default;
  PickleDocument(const PickleDocument&) = delete;
};

/// Runs the machine over `bytes` (one protocol-2 pickle and nothing else). `name` is the file, for messages.
/// Throws Format if the pickle is malformed, Unsupported for an opcode or name outside the set, naming it.
PickleDocument read_pickle(std::span<const std::byte> bytes, const std::string& name);

}  // namespace brain3d::io
