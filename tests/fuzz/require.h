// A property that holds for every input of a fuzzer.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace isoveil {

inline void Require(bool holds, std::string_view property) {
  if (holds) return;
  std::fprintf(stderr, "broken property: %.*s\n", static_cast<int>(property.size()), property.data());
  std::abort();
}

}  // namespace isoveil
