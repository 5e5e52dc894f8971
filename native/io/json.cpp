#include "io/json.h"

#include <utility>
#include <vector>

#include "io/failure.h"
#include "io/file.h"
#include "io/text.h"

namespace brain3d::io {
namespace {

// Estimates of what the library allocates with libstdc++: a value in an array, an object or array with its header, and
// a key with its tree node.
constexpr std::uint64_t kValueBytes = 16;
constexpr std::uint64_t kContainerBytes = 64;
constexpr std::uint64_t kKeyBytes = 96;

// Builds the document from the library's parser events, which come without recursion, so that a hostile document is
// refused before it is built. (The library's own callback scans the parent after every child, in quadratic time.)
class Builder final : public nlohmann::json_sax<Json> {
 public:
  Builder(const std::string& name, int max_depth) : name_(name), max_depth_(max_depth) {}

  Json take() { return std::move(root_); }

  bool null() override { return add_value(nullptr); }
  bool boolean(bool value) override { return add_value(value); }
  bool number_integer(number_integer_t value) override { return add_value(value); }
  bool number_unsigned(number_unsigned_t value) override { return add_value(value); }
  bool number_float(number_float_t value, const string_t&) override { return add_value(value); }
  bool string(string_t& value) override {
    count_memory(value.size());
    return add_value(std::move(value));
  }
  bool binary(binary_t&) override { return false; }  // not in text
  bool start_object(std::size_t) override { return open(Json::object()); }
  bool start_array(std::size_t) override { return open(Json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  // The library would keep the last of two; other readers keep the first. Refusing is the only common answer.
  bool key(string_t& key) override {
    count_memory(kKeyBytes + key.size());
    auto& members = open_.back()->get_ref<Json::object_t&>();
    const auto [member, is_new] = members.emplace(key, nullptr);
    if (!is_new) {
      fail_at(ErrorCode::Format, {.file = name_, .field = printable(key)}, "expected plain JSON: the key \"",
              printable(key), "\" appears twice in one object");
    }
    member_ = &member->second;
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const Json::exception& error) override {
    if (dynamic_cast<const Json::out_of_range*>(&error) != nullptr) refuse("a number exceeds the range of a double");
    // The library's own text quotes the file, which may hold patient data.
    fail_at(ErrorCode::Format, {.file = name_, .offset = detail_offset(position)},
            "expected valid JSON in UTF-8, got an error at byte ", position);
  }

 private:
  Json& place(Json&& value) {
    if (open_.empty()) return root_ = std::move(value);
    if (open_.back()->is_object()) return *member_ = std::move(value);
    open_.back()->push_back(std::move(value));
    return open_.back()->back();
  }

  bool add_value(Json&& value) {
    count_memory(kValueBytes);
    place(std::move(value));
    return true;
  }

  bool open(Json&& container) {
    count_memory(kContainerBytes);
    if (open_.size() >= static_cast<std::size_t>(max_depth_)) refuse("expected at most ", max_depth_, " nested levels");
    // Only the innermost container grows, so the pointers to the others stay valid.
    open_.push_back(&place(std::move(container)));
    return true;
  }

  bool close() {
    open_.pop_back();
    return true;
  }

  void count_memory(std::uint64_t bytes) {
    memory_bytes_ += bytes;
    if (memory_bytes_ > kMaxJsonMemoryBytes) refuse("it has too many values and keys");
  }

  template <typename... Parts>
  [[noreturn]] void refuse(const Parts&... parts) const {
    fail_at(ErrorCode::Format, {.file = name_}, "expected plain JSON: ", parts...);
  }

  const std::string& name_;
  int max_depth_;
  Json root_;
  std::vector<Json*> open_;  // the containers around the next value
  Json* member_ = nullptr;   // the member of the innermost object that waits for its value
  std::uint64_t memory_bytes_ = 0;
};

}  // namespace

Json parse_json(std::string_view text, const std::string& name, int max_depth) {
  if (text.starts_with("\xEF\xBB\xBF")) {
    fail_at(ErrorCode::Format, {.file = name, .offset = 0}, "expected JSON without a byte order mark");
  }
  // The library takes NUL for the end of its input and would ignore what follows.
  if (const std::size_t nul = text.find('\0'); nul != std::string_view::npos) {
    fail_at(ErrorCode::Format, {.file = name, .offset = detail_offset(nul)}, "expected JSON, got a NUL byte at byte ",
            nul);
  }
  Builder builder(name, max_depth);
  Json::sax_parse(text.begin(), text.end(), &builder);
  return builder.take();
}

Json read_json(const std::string& path, std::uint64_t max_bytes) {
  return parse_json(read_text(path, max_bytes), base_name(path));
}

}  // namespace brain3d::io
