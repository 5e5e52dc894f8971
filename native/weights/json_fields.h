// Typed access to config.json fields: every failure names the file, the field, what was expected and what came.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "io/json.h"

namespace brain3d::weights {

class JsonFields {
 public:
  /// `object` must outlive this; `where` is the file's base name with the path to the object, as "config.json:
  /// text_config".
  JsonFields(const io::Json& object, std::string where);

  bool has(const std::string& key) const;  // present and not null
  bool is_null(const std::string& key) const;
  /// Integer in [minimum, maximum]; throws Config if it is absent (and no default), of another type, or outside.
  std::int64_t integer(const std::string& key, std::optional<std::int64_t> fallback = {}, std::int64_t minimum = 1,
                       std::int64_t maximum = std::int64_t{1} << 24) const;
  /// Finite number > 0.
  double positive(const std::string& key, std::optional<double> fallback = {}) const;
  bool boolean(const std::string& key, bool fallback) const;
  std::string text(const std::string& key, std::optional<std::string> fallback = {}) const;
  JsonFields object(const std::string& key) const;
  const io::Json& raw(const std::string& key) const;
  const std::string& where() const { return where_; }

  [[noreturn]] void fail(const std::string& key, const std::string& expected) const;

 private:
  const io::Json& object_;
  std::string where_;
};

}  // namespace brain3d::weights
