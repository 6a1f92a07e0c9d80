// A small file that other processes look for while it is written.
//
//   ISOVEIL_RETURN_IF_ERROR(PublishNewFile("client/canary.json", text, 0600));
//
// It appears whole and synced, or not at all, and replaces nothing. Until then it has no name, so that a kill leaves
// nothing behind; on file systems that know no files without a name, such as NFS, a kill may leave PATH.XXXXXX.
#pragma once

#include <string_view>

#include "isoveil/base/file.h"

namespace isoveil {

// kExists if `path` is there. The errors of WriteNewFile.
Status PublishNewFile(const Path& path, std::string_view text, unsigned mode = 0644);

}  // namespace isoveil
