// Unicode's normal form C, which some tokenizers (Qwen) apply before they split.
//
//   ISOVEIL_ASSIGN_OR_RETURN(std::string text, ToNfc("e\u0301"));     // the one character U+00E9
//
// Source: Unicode Standard Annex 15; the tables are utf8proc's.
#pragma once

#include <string>
#include <string_view>

#include "isoveil/base/result.h"

namespace isoveil {

// kInvalidArgument unless `text` is well-formed UTF-8.
Result<std::string> ToNfc(std::string_view text);

}  // namespace isoveil
