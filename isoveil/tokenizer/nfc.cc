#include "isoveil/tokenizer/nfc.h"

#include <utf8proc.h>

#include <cstdlib>
#include <memory>

namespace isoveil {

Result<std::string> ToNfc(std::string_view text) {
  utf8proc_uint8_t* raw = nullptr;
  const utf8proc_ssize_t size =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()), static_cast<utf8proc_ssize_t>(text.size()),
                   &raw, static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owned(raw, &std::free);
  if (size < 0) return Fail(ErrorCode::kInvalidArgument, "text", "cannot be brought to normal form C");
  return std::string(reinterpret_cast<const char*>(raw), static_cast<size_t>(size));
}

}  // namespace isoveil
