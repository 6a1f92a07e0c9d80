#include <algorithm>
#include <limits>
#include <optional>

#include "isoveil/format/gguf.h"

namespace isoveil {
namespace {

constexpr std::string_view kTypeNames[] = {"uint8",     "int8",   "uint16",   "int16",    "uint32",   "int32",
                                           "float32",   "bool",   "string",   "uint64",   "int64",    "float64",
                                           "uint8[]",   "int8[]", "uint16[]", "int16[]",  "uint32[]", "int32[]",
                                           "float32[]", "bool[]", "string[]", "uint64[]", "int64[]",  "float64[]"};
static_assert(std::size(kTypeNames) == std::variant_size_v<GgufValue>);

// A value that was looked up, and where.
struct Entry {
  std::string where;
  const GgufValue& value;
};

// "uint32 7", "string": the type, and the value if it is an integer, which may be out of range.
std::string Describe(const GgufValue& value) {
  return std::visit(
      [&](const auto& v) -> std::string {
        using T = std::decay_t<decltype(v)>;
        if constexpr (std::is_integral_v<T>) return fmt::format("{} {}", kTypeNames[value.index()], v);
        return std::string(kTypeNames[value.index()]);
      },
      value);
}

tl::unexpected<Error> WrongType(const Entry& entry, std::string_view expected) {
  return Fail(ErrorCode::kFormat, entry.where, fmt::format("expected {}, found {}", expected, Describe(entry.value)));
}

template <typename T>
constexpr bool kIsInteger = std::is_integral_v<T> && !std::is_same_v<T, bool> && !std::is_same_v<T, char>;

// The value as a wide integer, or nullopt if it is none or does not fit.
template <typename Wide>
std::optional<Wide> AsInteger(const GgufValue& value) {
  return std::visit(
      [](const auto& v) -> std::optional<Wide> {
        using T = std::decay_t<decltype(v)>;
        if constexpr (kIsInteger<T>) {
          if (std::in_range<Wide>(v)) return static_cast<Wide>(v);
        }
        return std::nullopt;
      },
      value);
}

}  // namespace

const GgufValue* GgufMetadata::Find(std::string_view key) const {
  const auto it = std::find_if(entries_.begin(), entries_.end(), [&](const auto& e) { return e.first == key; });
  return it == entries_.end() ? nullptr : &it->second;
}

void GgufMetadata::Set(std::string_view key, GgufValue value) {
  const auto it = std::find_if(entries_.begin(), entries_.end(), [&](const auto& e) { return e.first == key; });
  if (it != entries_.end()) {
    it->second = std::move(value);
  } else {
    entries_.emplace_back(std::string(key), std::move(value));
  }
}

void GgufMetadata::Remove(std::string_view key) {
  std::erase_if(entries_, [&](const auto& e) { return e.first == key; });
}

namespace {

Result<Entry> Require(const GgufMetadata& metadata, std::string_view key, const std::string& source) {
  std::string where = fmt::format("{}{}key {}", source, source.empty() ? "" : ": ", Quoted(key));
  const GgufValue* value = metadata.Find(key);
  if (value == nullptr) return Fail(ErrorCode::kNotFound, std::move(where), "is missing");
  return Entry{std::move(where), *value};
}

template <typename T>
Result<T> Get(const Result<Entry>& entry, std::string_view expected) {
  if (!entry) return tl::unexpected(entry.error());
  if (const T* typed = std::get_if<T>(&entry->value)) return *typed;
  return WrongType(*entry, expected);
}

}  // namespace

Result<uint64_t> GgufMetadata::GetUnsigned(std::string_view key) const {
  ISOVEIL_ASSIGN_OR_RETURN(const Entry entry, Require(*this, key, source_));
  if (const auto integer = AsInteger<uint64_t>(entry.value)) return *integer;
  return WrongType(entry, "a non-negative integer");
}

Result<int64_t> GgufMetadata::GetSigned(std::string_view key) const {
  ISOVEIL_ASSIGN_OR_RETURN(const Entry entry, Require(*this, key, source_));
  if (const auto integer = AsInteger<int64_t>(entry.value)) return *integer;
  return WrongType(entry, "a 64-bit signed integer");
}

Result<double> GgufMetadata::GetFloat(std::string_view key) const {
  ISOVEIL_ASSIGN_OR_RETURN(const Entry entry, Require(*this, key, source_));
  if (const auto* single = std::get_if<float>(&entry.value)) return static_cast<double>(*single);
  if (const auto* wide = std::get_if<double>(&entry.value)) return *wide;
  return WrongType(entry, "a float");
}

Result<bool> GgufMetadata::GetBool(std::string_view key) const {
  return Get<bool>(Require(*this, key, source_), "bool");
}

Result<std::string> GgufMetadata::GetString(std::string_view key) const {
  return Get<std::string>(Require(*this, key, source_), "string");
}

Result<std::vector<std::string>> GgufMetadata::GetStrings(std::string_view key) const {
  return Get<std::vector<std::string>>(Require(*this, key, source_), "string[]");
}

Result<std::vector<float>> GgufMetadata::GetFloats(std::string_view key) const {
  const Result<Entry> entry = Require(*this, key, source_);
  if (entry) {
    if (const auto* wide = std::get_if<std::vector<double>>(&entry->value)) {
      return std::vector<float>(wide->begin(), wide->end());
    }
  }
  return Get<std::vector<float>>(entry, "float32[]");
}

Result<std::vector<int64_t>> GgufMetadata::GetIntegers(std::string_view key) const {
  ISOVEIL_ASSIGN_OR_RETURN(const Entry entry, Require(*this, key, source_));
  return std::visit(
      [&](const auto& list) -> Result<std::vector<int64_t>> {
        using T = std::decay_t<decltype(list)>;
        if constexpr (requires { typename T::value_type; }) {
          if constexpr (kIsInteger<typename T::value_type>) {
            std::vector<int64_t> integers;
            for (const auto v : list) {
              if (!std::in_range<int64_t>(v)) {
                return Fail(ErrorCode::kFormat, entry.where,
                            fmt::format("expected 64-bit signed integers, found {}", v));
              }
              integers.push_back(static_cast<int64_t>(v));
            }
            return integers;
          }
        }
        return WrongType(entry, "a list of integers");
      },
      entry.value);
}

}  // namespace isoveil
