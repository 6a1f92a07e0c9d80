// The chat page, compiled in: no file is read, nothing comes from elsewhere.
#pragma once

#include <string_view>

namespace isoveil {

struct PageFile {
  std::string_view path;  // "/app.js"
  std::string_view content_type;
  std::string_view content;
};

// Nullptr if there is no such file. "/" is the page itself.
const PageFile* FindPageFile(std::string_view path);

// No script, style, picture or connection but from the gateway itself.
inline constexpr char kPagePolicy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

}  // namespace isoveil
