// JSON that comes from strangers: no duplicate keys, bounded depth and size, no exceptions. Everything that this
// program has not written itself is read by it: what nlohmann alone parses may be nested so deep that writing it ends
// the process.
//
//   ISOVEIL_ASSIGN_OR_RETURN(const nlohmann::ordered_json json, ParseStrictJson(text, path.string()));
//
// nlohmann alone would silently keep one of equal keys, so that two readers could see two different files.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "isoveil/base/result.h"

namespace isoveil {

// Of members with equal keys: all are refused, or the last value stands at the first one's place, as everywhere else.
// The second is for text of which this program is the only reader.
enum class EqualKeys { kRefused, kLastCounts };

// kFormat with the offset or the key. `name` stands for the file in errors. Linear in the text, but for the
// sorting of keys; an ordered_json finds a key by searching, so iterate over large objects.
Result<nlohmann::ordered_json> ParseStrictJson(std::string_view text, const std::string& name, int max_depth = 64,
                                               EqualKeys equal_keys = EqualKeys::kRefused);

}  // namespace isoveil
