// JSON that comes from strangers: no duplicate keys, bounded depth, no exceptions.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "isoveil/base/result.h"

namespace isoveil {

// Parses strictly; kFormat with the byte offset. nlohmann alone would silently keep the last of equal keys,
// so that two readers could see two different files.
Result<nlohmann::ordered_json> ParseStrictJson(std::string_view text, const std::string& name,
                                               int max_depth = 64);

}  // namespace isoveil
