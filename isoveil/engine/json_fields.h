// Typed reading of foreign JSON: nothing throws, and an error names the field.
//
//   ISOVEIL_ASSIGN_OR_RETURN(const nlohmann::ordered_json* tokens, ArrayField(event, "tokens"));
//   std::optional<int64_t> n = IntOrNull(event, "tokens_predicted");
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "isoveil/base/result.h"
#include "isoveil/base/token_id.h"

namespace isoveil {

// The member, or null if `object` is no object or has none of that name.
const nlohmann::ordered_json* FieldOrNull(const nlohmann::ordered_json& object, std::string_view name);

// The value if it is there and of that type, in any numeric spelling.
std::optional<int64_t> IntOrNull(const nlohmann::ordered_json& object, std::string_view name);
std::optional<uint64_t> CountOrNull(const nlohmann::ordered_json& object, std::string_view name);
std::optional<double> NumberOrNull(const nlohmann::ordered_json& object, std::string_view name);
// "" if it is no string.
std::string TextOrEmpty(const nlohmann::ordered_json& object, std::string_view name);

// kFormat, naming the field, if it is missing or no array.
Result<const nlohmann::ordered_json*> ArrayField(const nlohmann::ordered_json& object, std::string_view name);

// kFormat unless `value` is an integer in [0, 2^31).
Result<WireId> ReadWireId(const nlohmann::ordered_json& value, std::string_view field);
Result<std::vector<WireId>> ReadWireIds(const nlohmann::ordered_json& array, std::string_view field);
// The vectors that `read` makes of a list's entries, each of which tells its place by "index". kFormat unless every
// place is taken once.
Result<std::vector<std::vector<float>>> InOrderOfIndex(
    const nlohmann::ordered_json& list, Result<std::vector<float>> (*read)(const nlohmann::ordered_json& entry));
// kFormat unless it is a number, or all are, that a float can hold.
Result<float> ReadFloat(const nlohmann::ordered_json& value, std::string_view field);
Result<std::vector<float>> Floats(const nlohmann::ordered_json& array, std::string_view field);

// The context of the first model in an answer of /v1/models, where a server tells it.
std::optional<int64_t> ContextOfModels(const nlohmann::ordered_json& answer);

// The text of a server's answer, strictly; kFormat. `what` names it.
Result<nlohmann::ordered_json> ParseAnswer(std::string_view text, const std::string& what);

// kFormat: "expected `expected`".
tl::unexpected<Error> BadField(std::string_view field, std::string_view expected);

}  // namespace isoveil
