#include "io/torch_zip/pickle.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <string_view>
#include <utility>

#include "io/bytes.h"
#include "io/failure.h"
#include "io/text.h"

namespace brain3d::io {
namespace {

// The documentation of these is CPython's Lib/pickletools.py.
enum class Op : std::uint8_t {
  Proto = 0x80,
  Stop = '.',
  Mark = '(',
  None = 'N',
  NewTrue = 0x88,
  NewFalse = 0x89,
  BinInt = 'J',
  BinInt1 = 'K',
  BinInt2 = 'M',
  Long1 = 0x8A,
  BinFloat = 'G',
  BinUnicode = 'X',
  EmptyDict = '}',
  EmptyTuple = ')',
  Tuple = 't',
  Tuple1 = 0x85,
  Tuple2 = 0x86,
  Tuple3 = 0x87,
  BinPut = 'q',
  LongBinPut = 'r',
  BinGet = 'h',
  LongBinGet = 'j',
  Global = 'c',
  Reduce = 'R',
  Build = 'b',
  BinPersid = 'Q',
  SetItem = 's',
  SetItems = 'u',
};

constexpr std::array<std::pair<std::string_view, DType>, 10> kStorageTypes{{
    {"BFloat16Storage", DType::BF16},
    {"HalfStorage", DType::F16},
    {"FloatStorage", DType::F32},
    {"DoubleStorage", DType::F64},
    {"LongStorage", DType::I64},
    {"IntStorage", DType::I32},
    {"ShortStorage", DType::I16},
    {"CharStorage", DType::I8},
    {"ByteStorage", DType::U8},
    {"BoolStorage", DType::Bool},
}};

std::string hex_byte(std::uint8_t byte) {
  std::array<char, 5> text{};
  std::snprintf(text.data(), text.size(), "0x%02x", byte);
  return text.data();
}

class Machine {
 public:
  Machine(std::span<const std::byte> bytes, const std::string& name) : bytes_(bytes), name_(name) {}

  PickleDocument run() {
    if (bytes_.size() > kMaxPickleBytes) refuse("expected at most ", kMaxPickleBytes, " bytes, got ", bytes_.size());
    if (take<std::uint8_t>() != static_cast<std::uint8_t>(Op::Proto) || take<std::uint8_t>() != 2) {
      refuse("expected a pickle of protocol 2");
    }
    for (std::int64_t count = 0; count < kMaxPickleOps; ++count) {
      op_offset_ = at_;
      const auto op = static_cast<Op>(take<std::uint8_t>());
      if (op == Op::Stop) {
        document_.root = pop();
        if (!stack_.empty() || !marks_.empty() || at_ != bytes_.size()) refuse("something follows the value");
        return std::move(document_);
      }
      step(op);
    }
    refuse("expected at most ", kMaxPickleOps, " operations");
  }

 private:
  void step(Op op) {
    switch (op) {
      case Op::Mark: marks_.push_back(stack_.size()); break;
      case Op::None: push(PickleNone{}); break;
      case Op::NewTrue: push(true); break;
      case Op::NewFalse: push(false); break;
      case Op::BinInt: push(std::int64_t{take<std::int32_t>()}); break;
      case Op::BinInt1: push(std::int64_t{take<std::uint8_t>()}); break;
      case Op::BinInt2: push(std::int64_t{take<std::uint16_t>()}); break;
      case Op::Long1: push(take_long()); break;
      case Op::BinFloat: push(load<double>(take_bytes(8), true)); break;  // the one big-endian number of pickle
      case Op::BinUnicode: push_string(); break;
      case Op::EmptyDict: push(&document_.dicts.emplace_back()); break;
      case Op::EmptyTuple: push_tuple(0); break;
      case Op::Tuple: push_tuple(pop_mark()); break;
      case Op::Tuple1: push_tuple(1); break;
      case Op::Tuple2: push_tuple(2); break;
      case Op::Tuple3: push_tuple(3); break;
      case Op::BinPut: put(take<std::uint8_t>()); break;
      case Op::LongBinPut: put(take<std::uint32_t>()); break;
      case Op::BinGet: get(take<std::uint8_t>()); break;
      case Op::LongBinGet: get(take<std::uint32_t>()); break;
      case Op::Global: push_global(); break;
      case Op::Reduce: reduce(); break;
      case Op::Build: build(); break;
      case Op::BinPersid: push_storage(); break;
      case Op::SetItem: set_items(2); break;
      case Op::SetItems: set_items(pop_mark()); break;
      default:
        fail_at(ErrorCode::Unsupported, detail(), "it uses the pickle opcode ", hex_byte(static_cast<std::uint8_t>(op)),
                ", which a saved projector does not need; nothing was run");
    }
  }

  const std::byte* take_bytes(std::size_t count) {
    if (count > bytes_.size() - at_) refuse("it ends early");
    at_ += count;
    return bytes_.data() + at_ - count;
  }

  template <typename T>
  T take() {
    return load<T>(take_bytes(sizeof(T)));
  }

  std::int64_t take_long() {
    const std::size_t count = take<std::uint8_t>();
    if (count > 8) refuse("expected integers of at most 8 bytes, got ", count);
    std::uint64_t value = 0;
    const std::byte* bytes = take_bytes(count);
    for (std::size_t i = 0; i < count; ++i) value |= std::to_integer<std::uint64_t>(bytes[i]) << (8 * i);
    const bool negative = count > 0 && (bytes[count - 1] & std::byte{0x80}) != std::byte{0};
    if (negative && count < 8) value |= ~std::uint64_t{0} << (8 * count);
    return std::bit_cast<std::int64_t>(value);
  }

  std::string_view take_line() {
    const auto* begin = reinterpret_cast<const char*>(bytes_.data()) + at_;
    const std::string_view rest(begin, bytes_.size() - at_);
    const std::size_t end = rest.find('\n');
    if (end == std::string_view::npos) refuse("it ends early");
    at_ += end + 1;
    return rest.substr(0, end);
  }

  template <typename T>
  void push(T value) {
    stack_.push_back(PickleValue{value});
  }

  // Values below the last mark belong to what is being collected there.
  PickleValue pop() {
    if (stack_.size() <= (marks_.empty() ? 0 : marks_.back())) refuse("it takes a value that is not there");
    const PickleValue value = stack_.back();
    stack_.pop_back();
    return value;
  }

  // Ends the last mark; returns how many values stand above it.
  std::size_t pop_mark() {
    if (marks_.empty()) refuse("it lacks a mark");
    const std::size_t count = stack_.size() - marks_.back();
    marks_.pop_back();
    return count;
  }

  PickleTuple pop_many(std::size_t count) {
    PickleTuple items;
    for (std::size_t i = 0; i < count; ++i) items.push_back(pop());
    std::reverse(items.begin(), items.end());
    return items;
  }

  void push_string() {
    const std::size_t count = take<std::uint32_t>();
    const auto* text = reinterpret_cast<const char*>(take_bytes(count));
    const std::string& kept = document_.strings.emplace_back(text, count);
    if (!is_utf8(kept)) refuse("expected strings in UTF-8");
    push(&kept);
  }

  void push_tuple(std::size_t count) {
    const PickleTuple& kept = document_.tuples.emplace_back(pop_many(count));
    push(&kept);
  }

  // torch numbers its memo from 0 without gaps, so an index beyond the next one is an attempt to allocate.
  void put(std::size_t index) {
    if (index > memo_.size()) refuse("memo index ", index, " is out of order");
    const PickleValue value = pop();
    stack_.push_back(value);
    if (index == memo_.size()) memo_.push_back(value);
    memo_[index] = value;
  }

  void get(std::size_t index) {
    if (index >= memo_.size()) refuse("memo index ", index, " was never set");
    stack_.push_back(memo_[index]);
  }

  void push_global() {
    const std::string_view module = take_line();
    const std::string_view name = take_line();
    if (module == "collections" && name == "OrderedDict") return push(PickleGlobal::OrderedDict);
    if (module == "torch._utils" && name == "_rebuild_tensor_v2") return push(PickleGlobal::RebuildTensor);
    if (module == "torch._utils" && name == "_rebuild_parameter") return push(PickleGlobal::RebuildParameter);
    for (const auto& [type, dtype] : kStorageTypes) {
      if (module == "torch" && name == type) return push(PickleStorageType{dtype});
    }
    fail_at(ErrorCode::Unsupported, detail(), "it refers to the Python name \"", printable(module, 64), ".",
            printable(name, 64), "\", which a saved projector does not need; nothing was run");
  }

  void push_storage() {
    const PickleValue id = pop();
    const PickleTuple* parts = id.get<PickleTuple>();
    if (parts == nullptr || parts->size() != 5) refuse("expected a storage of five parts");
    const auto* kind = (*parts)[0].get<std::string>();
    const auto* type = (*parts)[1].get<PickleStorageType>();
    const auto* key = (*parts)[2].get<std::string>();
    const auto* location = (*parts)[3].get<std::string>();
    const auto* count = (*parts)[4].get<std::int64_t>();
    if (kind == nullptr || *kind != "storage" || type == nullptr || key == nullptr || location == nullptr ||
        count == nullptr || *count < 0) {
      refuse("expected (\"storage\", type, key, location, number of elements)");
    }
    const PickleStorage& kept =
        document_.storages.emplace_back(PickleStorage{type->dtype, *key, static_cast<std::uint64_t>(*count)});
    push(&kept);
  }

  void reduce() {
    const PickleValue arguments = pop();
    const PickleValue callee = pop();
    const auto* global = callee.get<PickleGlobal>();
    const PickleTuple* parts = arguments.get<PickleTuple>();
    if (global == nullptr || parts == nullptr) refuse("expected a known name and its arguments");
    switch (*global) {
      case PickleGlobal::OrderedDict: {
        if (!parts->empty()) refuse("expected an empty OrderedDict");
        PickleDict& kept = document_.dicts.emplace_back();
        kept.ordered = true;
        return push(&kept);
      }
      case PickleGlobal::RebuildTensor: return push_tensor(*parts);
      case PickleGlobal::RebuildParameter:
        if (parts->size() != 3 || (*parts)[0].get<PickleTensor>() == nullptr) refuse("expected a parameter's tensor");
        stack_.push_back((*parts)[0]);
        return;
    }
  }

  // (storage, offset, shape, strides, requires_grad, hooks); the last two say nothing about the values.
  void push_tensor(const PickleTuple& parts) {
    if (parts.size() != 6) refuse("expected a tensor of six parts, got ", parts.size());
    const auto* storage = parts[0].get<PickleStorage>();
    const auto* offset = parts[1].get<std::int64_t>();
    const auto* shape = parts[2].get<PickleTuple>();
    const auto* strides = parts[3].get<PickleTuple>();
    if (storage == nullptr || offset == nullptr || shape == nullptr || strides == nullptr) {
      refuse("expected a tensor's storage, offset, shape and strides");
    }
    if (shape->size() > kMaxRank || strides->size() != shape->size()) refuse("a tensor's shape and strides do not fit");
    PickleTensor tensor{*storage, *offset, integers(*shape), integers(*strides)};
    const PickleTensor& kept = document_.tensors.emplace_back(std::move(tensor));
    push(&kept);
  }

  std::vector<std::int64_t> integers(const PickleTuple& tuple) const {
    std::vector<std::int64_t> out;
    for (const PickleValue& value : tuple) {
      const auto* number = value.get<std::int64_t>();
      if (number == nullptr) refuse("expected integers in a tensor's shape and strides");
      out.push_back(*number);
    }
    return out;
  }

  // Attaches attributes; the only ones torch.save writes are a state dict's version numbers, which nobody needs.
  void build() {
    pop();
    if (stack_.empty() || stack_.size() <= (marks_.empty() ? 0 : marks_.back())) refuse("it lacks a value to build");
    const auto* dict = stack_.back().get<PickleDict>();
    if (dict == nullptr || !dict->ordered) refuse("only an OrderedDict may carry attributes");
  }

  void set_items(std::size_t count) {
    if (count % 2 != 0) refuse("a key lacks its value");
    const PickleTuple items = pop_many(count);
    const PickleValue target = pop();
    auto* const* dict = std::get_if<PickleDict*>(&target.value);
    if (dict == nullptr) refuse("expected a dictionary to set items in");
    for (std::size_t i = 0; i < count; i += 2) {
      const auto* key = items[i].get<std::string>();
      if (key == nullptr) refuse("expected strings as keys");
      if (!(*dict)->entries.emplace(*key, items[i + 1]).second) refuse("the key \"", printable(*key), "\" comes twice");
    }
    stack_.push_back(target);
  }

  ErrorDetail detail() const { return {.file = name_, .field = "data.pkl", .offset = detail_offset(op_offset_)}; }

  template <typename... Parts>
  [[noreturn]] void refuse(const Parts&... parts) const {
    fail_at(ErrorCode::Format, detail(), "not a pickle of a saved projector: ", parts..., " (at byte ", op_offset_,
            ")");
  }

  std::span<const std::byte> bytes_;
  const std::string& name_;
  std::size_t at_ = 0;
  std::size_t op_offset_ = 0;
  PickleDocument document_;
  std::vector<PickleValue> stack_;
  std::vector<PickleValue> memo_;
  std::vector<std::size_t> marks_;  // stack sizes
};

}  // namespace

PickleDocument read_pickle(std::span<const std::byte> bytes, const std::string& name) {
  return Machine(bytes, name).run();
}

}  // namespace brain3d::io
