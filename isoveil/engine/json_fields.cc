#include "isoveil/engine/json_fields.h"

#include <cmath>
#include <limits>

#include "isoveil/base/strict_json.h"

namespace isoveil {

using json = nlohmann::ordered_json;

namespace {

constexpr int32_t kMaxId = std::numeric_limits<int32_t>::max();

}  // namespace

Result<json> ParseAnswer(std::string_view text, const std::string& what) {
  Result<json> parsed = ParseStrictJson(text, what);
  if (parsed) return parsed;
  return Fail(ErrorCode::kFormat, parsed.error().where,
              fmt::format("the server's answer is refused: {}", parsed.error().problem),
              "is the URL that of an inference server?");
}

tl::unexpected<Error> BadField(std::string_view field, std::string_view expected) {
  return Fail(ErrorCode::kFormat, fmt::format("the server's answer, field '{}'", field),
              fmt::format("expected {}", expected), "is this server of the chosen kind, and recent enough?");
}

const json* FieldOrNull(const json& object, std::string_view name) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(name);
  return found == object.end() ? nullptr : &*found;
}

std::optional<int64_t> IntOrNull(const json& object, std::string_view name) {
  const json* value = FieldOrNull(object, name);
  if (value == nullptr || !value->is_number_integer()) return std::nullopt;
  if (value->is_number_unsigned() && value->get<uint64_t>() > std::numeric_limits<int64_t>::max()) {
    return std::nullopt;
  }
  return value->get<int64_t>();
}

std::optional<uint64_t> CountOrNull(const json& object, std::string_view name) {
  const std::optional<int64_t> value = IntOrNull(object, name);
  if (!value || *value < 0) return std::nullopt;
  return static_cast<uint64_t>(*value);
}

std::optional<double> NumberOrNull(const json& object, std::string_view name) {
  const json* value = FieldOrNull(object, name);
  if (value == nullptr || !value->is_number()) return std::nullopt;
  return value->get<double>();
}

std::string TextOrEmpty(const json& object, std::string_view name) {
  const json* value = FieldOrNull(object, name);
  return value != nullptr && value->is_string() ? value->get<std::string>() : "";
}

std::optional<int64_t> ContextOfModels(const nlohmann::ordered_json& answer) {
  const nlohmann::ordered_json* models = FieldOrNull(answer, "data");
  if (models == nullptr || !models->is_array() || models->empty()) return std::nullopt;
  return IntOrNull(models->front(), "max_model_len");
}

Result<const json*> ArrayField(const json& object, std::string_view name) {
  const json* value = FieldOrNull(object, name);
  if (value == nullptr) return BadField(name, "an array, found nothing");
  if (!value->is_array()) return BadField(name, fmt::format("an array, found {}", value->type_name()));
  return value;
}

Result<WireId> ReadWireId(const json& value, std::string_view field) {
  if (!value.is_number_integer()) return BadField(field, fmt::format("a token id, found {}", value.type_name()));
  const bool huge = value.is_number_unsigned() && value.get<uint64_t>() > kMaxId;
  if (huge || value.get<int64_t>() < 0 || value.get<int64_t>() > kMaxId) {
    return BadField(field, fmt::format("a token id from 0 to {}, found another integer", kMaxId));
  }
  return value.get<WireId>();
}

Result<std::vector<WireId>> ReadWireIds(const json& array, std::string_view field) {
  if (!array.is_array()) return BadField(field, fmt::format("an array, found {}", array.type_name()));
  std::vector<WireId> ids;
  ids.reserve(array.size());
  for (const json& value : array) {
    ISOVEIL_ASSIGN_OR_RETURN(const WireId id, ReadWireId(value, field));
    ids.push_back(id);
  }
  return ids;
}

Result<float> ReadFloat(const json& value, std::string_view field) {
  if (!value.is_number()) return BadField(field, fmt::format("a number, found {}", value.type_name()));
  const double wide = value.get<double>();
  if (!(std::abs(wide) <= std::numeric_limits<float>::max())) return BadField(field, "a finite number");
  return static_cast<float>(wide);
}

Result<std::vector<float>> Floats(const json& array, std::string_view field) {
  if (!array.is_array()) return BadField(field, fmt::format("an array, found {}", array.type_name()));
  std::vector<float> values;
  values.reserve(array.size());
  for (const json& value : array) {
    ISOVEIL_ASSIGN_OR_RETURN(const float number, ReadFloat(value, field));
    values.push_back(number);
  }
  return values;
}

Result<std::vector<std::vector<float>>> InOrderOfIndex(const json& list,
                                                       Result<std::vector<float>> (*read)(const json& entry)) {
  if (!list.is_array()) return BadField("embedding", fmt::format("a list, found {}", list.type_name()));
  std::vector<std::optional<std::vector<float>>> places(list.size());
  for (const json& entry : list) {
    const auto index = CountOrNull(entry, "index");
    if (!index || *index >= places.size() || places[*index]) {
      return BadField("index", fmt::format("each number below {} once", places.size()));
    }
    ISOVEIL_ASSIGN_OR_RETURN(places[*index], read(entry));
  }
  std::vector<std::vector<float>> vectors;
  vectors.reserve(places.size());
  for (auto& place : places) vectors.push_back(*std::move(place));
  return vectors;
}

}  // namespace isoveil
