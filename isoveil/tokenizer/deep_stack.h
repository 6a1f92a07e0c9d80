// Runs a function on a stack of a given size, on a thread of its own.
//
//   ISOVEIL_RETURN_IF_ERROR(RunOnStack(64 << 20, [&] { Recurse(text); }));
//
// llama.cpp splits text with std::regex, which recurses once for every character of a match: a line of a
// hundred thousand equal characters ends a process that has the usual eight megabytes. Pages of the stack
// that are not touched cost nothing.
#pragma once

#include <cstddef>
#include <functional>

#include "isoveil/base/result.h"

namespace isoveil {

// Waits until `work` has returned; it must not throw. kNoMemory if there is no room for the stack.
Status RunOnStack(size_t bytes, const std::function<void()>& work);

}  // namespace isoveil
