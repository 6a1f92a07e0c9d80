#include "isoveil/gateway/page.h"

#include <array>

// In page_files.S, made by CMake from web/dist.
#define ISOVEIL_PAGE_FILE(name)                \
  extern "C" const char isoveil_page_##name[]; \
  extern "C" const char isoveil_page_##name##_end[];
ISOVEIL_PAGE_FILE(index)
ISOVEIL_PAGE_FILE(js)
ISOVEIL_PAGE_FILE(css)
ISOVEIL_PAGE_FILE(icon)
ISOVEIL_PAGE_FILE(licenses)
#undef ISOVEIL_PAGE_FILE

namespace isoveil {
namespace {

std::string_view Between(const char* begin, const char* end) { return {begin, static_cast<size_t>(end - begin)}; }

}  // namespace

const PageFile* FindPageFile(std::string_view path) {
  static const std::array<PageFile, 5> kFiles = {{
      {"/", "text/html; charset=utf-8", Between(isoveil_page_index, isoveil_page_index_end)},
      {"/app.js", "text/javascript; charset=utf-8", Between(isoveil_page_js, isoveil_page_js_end)},
      {"/app.css", "text/css; charset=utf-8", Between(isoveil_page_css, isoveil_page_css_end)},
      {"/icon.svg", "image/svg+xml", Between(isoveil_page_icon, isoveil_page_icon_end)},
      {"/licenses.txt", "text/plain; charset=utf-8", Between(isoveil_page_licenses, isoveil_page_licenses_end)},
  }};
  for (const PageFile& file : kFiles) {
    if (file.path == path) return &file;
  }
  return nullptr;
}

}  // namespace isoveil
