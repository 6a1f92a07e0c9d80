// Git LFS pointers: what a clone without `git lfs` holds in place of large files.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "isoveil/base/result.h"

namespace isoveil {

// kFormat with what to run if `bytes` is a pointer; `name` stands for the file.
inline Status RefuseLfsPointer(std::span<const std::byte> bytes, const std::string& name) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (!text.starts_with("version https://git-lfs")) return Ok();
  return Fail(ErrorCode::kFormat, name, "is a Git LFS pointer, not the content of the file", "run: git lfs pull");
}

}  // namespace isoveil
