#include "isoveil/gateway/fields.h"

#include <cmath>

namespace isoveil {

tl::unexpected<Error> BadMember(std::string name, const std::string& expected) {
  return Fail(ErrorCode::kInvalidArgument, std::move(name), "expected " + expected);
}

const Json& Member(const Json& object, const char* name) {
  static const Json kNull;
  const auto it = object.find(name);
  return it == object.end() ? kNull : *it;
}

Result<std::optional<bool>> ReadBool(const Json& object, const char* name) {
  const Json& value = Member(object, name);
  if (value.is_null()) return std::nullopt;
  if (!value.is_boolean()) return BadMember(name, "true or false");
  return value.get<bool>();
}

Result<std::optional<double>> ReadNumber(const Json& object, const char* name, double min, double max) {
  const Json& value = Member(object, name);
  if (value.is_null()) return std::nullopt;
  const std::string expected = fmt::format("a number from {} to {}", min, max);
  if (!value.is_number()) return BadMember(name, expected);
  const double number = value.get<double>();
  if (!(number >= min && number <= max)) return BadMember(name, expected);
  return number;
}

Result<std::optional<int64_t>> ReadInteger(const Json& object, const char* name, int64_t min, int64_t max) {
  const Json& value = Member(object, name);
  if (value.is_null()) return std::nullopt;
  const std::string expected = fmt::format("an integer from {} to {}", min, max);
  // Some clients know one kind of number and write 42.0.
  constexpr double kExact = 9007199254740992.0;  // 2^53
  const double real = value.is_number_float() ? value.get<double>() : 0.5;
  if (real == std::trunc(real) && std::abs(real) <= kExact) {
    const auto whole = static_cast<int64_t>(real);
    if (whole < min || whole > max) return BadMember(name, expected);
    return whole;
  }
  if (!value.is_number_integer()) return BadMember(name, expected);
  if (value.is_number_unsigned() && value.get<uint64_t>() > static_cast<uint64_t>(INT64_MAX)) {
    return BadMember(name, expected);
  }
  const int64_t number = value.get<int64_t>();
  if (number < min || number > max) return BadMember(name, expected);
  return number;
}

Result<std::optional<std::string>> ReadText(const Json& object, const char* name) {
  const Json& value = Member(object, name);
  if (value.is_null()) return std::nullopt;
  if (!value.is_string()) return BadMember(name, "a string");
  return value.get<std::string>();
}

}  // namespace isoveil
