#include "isoveil/arch/config_fields.h"

#include <limits>

namespace isoveil {
namespace {

using nlohmann::json;

const json* Find(const json& object, std::string_view field) {
  if (!object.is_object()) return nullptr;
  const auto it = object.find(field);
  return it == object.end() || it->is_null() ? nullptr : &*it;
}

tl::unexpected<Error> Mistyped(std::string_view field, std::string_view expected, const json& found) {
  return Fail(
      ErrorCode::kFormat, fmt::format("config.json: {}", field),
      fmt::format("expected {}, found {}", expected, Quoted(found.dump(-1, ' ', true, json::error_handler_t::replace))),
      "the file is damaged or of another kind of model; fetch it again");
}

}  // namespace

Result<double> ConfigNumber(const json& object, std::string_view field, double otherwise) {
  const json* value = Find(object, field);
  if (value == nullptr) return otherwise;
  if (!value->is_number()) return Mistyped(field, "a number", *value);
  return value->get<double>();
}

Result<uint32_t> ConfigCount(const json& object, std::string_view field, uint64_t otherwise) {
  const json* value = Find(object, field);
  const json count = value == nullptr ? json(otherwise) : *value;
  if (!count.is_number_unsigned() || count.get<uint64_t>() > std::numeric_limits<uint32_t>::max()) {
    return Mistyped(field, "an integer from 0 to 4294967295", count);
  }
  return static_cast<uint32_t>(count.get<uint64_t>());
}

Result<std::string> ConfigText(const json& object, std::string_view field, std::string_view otherwise) {
  const json* value = Find(object, field);
  if (value == nullptr) return std::string(otherwise);
  if (!value->is_string()) return Mistyped(field, "text", *value);
  return value->get<std::string>();
}

}  // namespace isoveil
