#include "isoveil/base/program.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>

namespace isoveil {

bool IsExecutable(const Path& path) { return IsRegularFile(path) && ::access(path.c_str(), X_OK) == 0; }

Path FindProgram(const std::string& name) {
  if (name.find('/') != std::string::npos) return IsExecutable(name) ? AbsolutePath(name) : Path();
  const char* path = std::getenv("PATH");
  std::string_view folders = path == nullptr ? "" : path;
  while (!name.empty() && !folders.empty()) {
    const std::string_view folder = folders.substr(0, folders.find(':'));
    const Path program = Path(folder) / name;
    if (!folder.empty() && IsExecutable(program)) return AbsolutePath(program);
    folders.remove_prefix(std::min(folder.size() + 1, folders.size()));
  }
  return {};
}

}  // namespace isoveil
