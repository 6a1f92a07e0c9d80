// Reads the members of a JSON request with types and ranges; every error names the member.
//
//   ISOVEIL_ASSIGN_OR_RETURN(std::optional<double> top_p, ReadNumber(body, "top_p", 0, 1));
//
// A member that is null is as good as missing. Errors are kInvalidArgument and never quote a value.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "isoveil/base/result.h"

namespace isoveil {

using Json = nlohmann::ordered_json;

// The member, or null if there is none.
const Json& Member(const Json& object, const char* name);

Result<std::optional<bool>> ReadBool(const Json& object, const char* name);
Result<std::optional<double>> ReadNumber(const Json& object, const char* name, double min, double max);
Result<std::optional<int64_t>> ReadInteger(const Json& object, const char* name, int64_t min, int64_t max);
Result<std::optional<std::string>> ReadText(const Json& object, const char* name);

tl::unexpected<Error> BadMember(std::string name, const std::string& expected);

}  // namespace isoveil
