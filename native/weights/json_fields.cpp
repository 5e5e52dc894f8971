#include "weights/json_fields.h"

#include <cmath>
#include <utility>

#include "base/error.h"
#include "io/text.h"

namespace brain3d::weights {

namespace {

/// "config.json" of "config.json: text_config".
std::string file_of(const std::string& where) { return where.substr(0, where.find(':')); }

}  // namespace

JsonFields::JsonFields(const io::Json& object, std::string where) : object_(object), where_(std::move(where)) {
  if (!object_.is_object())
    throw Error(ErrorCode::Config, concat(where_, ": expected a JSON object, got ", object_.type_name()),
                {file_of(where_), {}, -1});
}

bool JsonFields::has(const std::string& key) const {
  const auto found = object_.find(key);
  return found != object_.end() && !found->is_null();
}

bool JsonFields::is_null(const std::string& key) const {
  const auto found = object_.find(key);
  return found != object_.end() && found->is_null();
}

void JsonFields::fail(const std::string& key, const std::string& expected) const {
  const std::string got = has(key) ? io::printable(object_.at(key).dump(), 80) : "nothing";
  throw Error(ErrorCode::Config, concat(where_, ": expected ", expected, " for '", key, "', got ", got),
              {file_of(where_), key, -1});
}

const io::Json& JsonFields::raw(const std::string& key) const {
  if (!has(key)) fail(key, "a value");
  return object_.at(key);
}

std::int64_t JsonFields::integer(const std::string& key, std::optional<std::int64_t> fallback, std::int64_t minimum,
                                 std::int64_t maximum) const {
  if (!has(key) && fallback) return *fallback;
  const std::string expected = concat("an integer from ", minimum, " to ", maximum);
  if (!has(key) || !object_.at(key).is_number_integer()) fail(key, expected);
  const io::Json& value = object_.at(key);
  if (value.is_number_unsigned() && value.get<std::uint64_t>() > static_cast<std::uint64_t>(maximum))
    fail(key, expected);
  const auto number = value.get<std::int64_t>();
  if (number < minimum || number > maximum) fail(key, expected);
  return number;
}

double JsonFields::positive(const std::string& key, std::optional<double> fallback) const {
  if (!has(key) && fallback) return *fallback;
  if (!has(key) || !object_.at(key).is_number()) fail(key, "a number > 0");
  const auto number = object_.at(key).get<double>();
  if (!std::isfinite(number) || number <= 0) fail(key, "a number > 0");
  return number;
}

bool JsonFields::boolean(const std::string& key, bool fallback) const {
  if (!has(key)) return fallback;
  if (!object_.at(key).is_boolean()) fail(key, "true or false");
  return object_.at(key).get<bool>();
}

std::string JsonFields::text(const std::string& key, std::optional<std::string> fallback) const {
  if (!has(key) && fallback) return *fallback;
  if (!has(key) || !object_.at(key).is_string()) fail(key, "a string");
  return object_.at(key).get<std::string>();
}

JsonFields JsonFields::object(const std::string& key) const {
  if (!has(key) || !object_.at(key).is_object()) fail(key, "an object");
  return JsonFields(object_.at(key), concat(where_, ": ", key));
}

}  // namespace brain3d::weights
