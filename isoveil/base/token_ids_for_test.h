// Lists of ids from numbers.
#pragma once

#include <initializer_list>
#include <vector>

#include "isoveil/base/token_id.h"

namespace isoveil {

template <typename Id>
std::vector<Id> IdsOf(std::initializer_list<int32_t> numbers) {
  std::vector<Id> ids;
  for (const int32_t number : numbers) ids.push_back(Id{number});
  return ids;
}
inline std::vector<PlainId> PlainIds(std::initializer_list<int32_t> numbers) { return IdsOf<PlainId>(numbers); }
inline std::vector<WireId> WireIds(std::initializer_list<int32_t> numbers) { return IdsOf<WireId>(numbers); }

}  // namespace isoveil
