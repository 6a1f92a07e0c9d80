// What lies in a folder, without exceptions.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "isoveil/base/file.h"

namespace isoveil {

// The names of a folder's entries, sorted; none if it cannot be read.
inline std::vector<std::string> FileNames(const Path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    names.push_back(it->path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

// The same of all files below, as "name" or "folder/name"; no link is followed.
inline std::vector<std::string> FilesBelow(const Path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::recursive_directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (!it->is_directory(error)) names.push_back(it->path().lexically_relative(folder).string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace isoveil
