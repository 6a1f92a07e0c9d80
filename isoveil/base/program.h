// Programs of this machine.
//
//   const Path python = FindProgram("python3");     // empty: there is none
#pragma once

#include <string>

#include "isoveil/base/file.h"

namespace isoveil {

// Whether this process may run the file.
bool IsExecutable(const Path& path);

// A name without a slash is looked up on PATH, in order; with one it is a path. Empty if nothing can be run.
Path FindProgram(const std::string& name);

}  // namespace isoveil
