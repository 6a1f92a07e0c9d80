// Names in files: well-formed, printable, of sane length.
#pragma once

#include <string_view>

namespace isoveil {

// 1 to `max_bytes` bytes of UTF-8 without control characters, surrogates, or overlong forms.
bool IsCleanName(std::string_view name, size_t max_bytes);

}  // namespace isoveil
