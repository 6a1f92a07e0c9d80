#include <algorithm>
#include <limits>
#include <optional>

#include "isoveil/format/gguf.h"

namespace isoveil {
namespace {

constexpr std::string_view kTypeNames[] = {
    "uint8",    "int8",    "uint16",    "int16",   "uint32",   "int32",    "float32",  "bool",
    "string",   "uint64",  "int64",     "float64", "uint8[]",  "int8[]",   "uint16[]", "int16[]",
    "uint32[]", "int32[]", "float32[]", "bool[]",  "string[]", "uint64[]", "int64[]",  "float64[]"};
static_assert(std::size(kTypeNames) == std::variant_size_v<GgufValue>);

tl::unexpected<Error> WrongType(std::string_view key, std::string_view expected, const GgufValue& found) {
  return Fail(ErrorCode::kFormat, fmt::format("key {}", Quoted(key)),
              fmt::format("expected {}, found {}", expected, kTypeNames[found.index()]));
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
  const auto it =
      std::find_if(entries_.begin(), entries_.end(), [&](const auto& e) { return e.first == key; });
  return it == entries_.end() ? nullptr : &it->second;
}

void GgufMetadata::Set(std::string_view key, GgufValue value) {
  const auto it =
      std::find_if(entries_.begin(), entries_.end(), [&](const auto& e) { return e.first == key; });
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

Result<const GgufValue*> Require(const GgufMetadata& metadata, std::string_view key) {
  const GgufValue* value = metadata.Find(key);
  if (value == nullptr) return Fail(ErrorCode::kNotFound, fmt::format("key {}", Quoted(key)), "is missing");
  return value;
}

template <typename T>
Result<T> Get(const GgufMetadata& metadata, std::string_view key, std::string_view expected) {
  ISOVEIL_ASSIGN_OR_RETURN(const GgufValue* value, Require(metadata, key));
  if (const T* typed = std::get_if<T>(value)) return *typed;
  return WrongType(key, expected, *value);
}

}  // namespace

Result<uint64_t> GgufMetadata::GetUnsigned(std::string_view key) const {
  ISOVEIL_ASSIGN_OR_RETURN(const GgufValue* value, Require(*this, key));
  if (const auto integer = AsInteger<uint64_t>(*value)) return *integer;
  return WrongType(key, "a non-negative integer", *value);
}

Result<int64_t> GgufMetadata::GetSigned(std::string_view key) const {
  ISOVEIL_ASSIGN_OR_RETURN(const GgufValue* value, Require(*this, key));
  if (const auto integer = AsInteger<int64_t>(*value)) return *integer;
  return WrongType(key, "an integer", *value);
}

Result<double> GgufMetadata::GetFloat(std::string_view key) const {
  ISOVEIL_ASSIGN_OR_RETURN(const GgufValue* value, Require(*this, key));
  if (const auto* single = std::get_if<float>(value)) return static_cast<double>(*single);
  if (const auto* wide = std::get_if<double>(value)) return *wide;
  return WrongType(key, "a float", *value);
}

Result<bool> GgufMetadata::GetBool(std::string_view key) const { return Get<bool>(*this, key, "bool"); }

Result<std::string> GgufMetadata::GetString(std::string_view key) const {
  return Get<std::string>(*this, key, "string");
}

Result<std::vector<std::string>> GgufMetadata::GetStrings(std::string_view key) const {
  return Get<std::vector<std::string>>(*this, key, "string[]");
}

Result<std::vector<float>> GgufMetadata::GetFloats(std::string_view key) const {
  return Get<std::vector<float>>(*this, key, "float32[]");
}

Result<std::vector<int64_t>> GgufMetadata::GetIntegers(std::string_view key) const {
  ISOVEIL_ASSIGN_OR_RETURN(const GgufValue* value, Require(*this, key));
  return std::visit(
      [&](const auto& list) -> Result<std::vector<int64_t>> {
        using T = std::decay_t<decltype(list)>;
        if constexpr (requires { typename T::value_type; }) {
          if constexpr (kIsInteger<typename T::value_type>) {
            std::vector<int64_t> integers;
            for (const auto v : list) {
              if (!std::in_range<int64_t>(v)) return WrongType(key, "integers of 63 bits", *value);
              integers.push_back(static_cast<int64_t>(v));
            }
            return integers;
          }
        }
        return WrongType(key, "integers", *value);
      },
      *value);
}

}  // namespace isoveil
