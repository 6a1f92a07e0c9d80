#include "isoveil/tokenizer/prefix_table.h"

#include <algorithm>

namespace isoveil {

void PrefixTable::Add(std::string text, int32_t id) {
  if (!text.empty()) entries_.emplace_back(std::move(text), id);
}

void PrefixTable::Finish() {
  // std::string orders by unsigned bytes.
  std::stable_sort(entries_.begin(), entries_.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  const auto same = [](const auto& a, const auto& b) { return a.first == b.first; };
  // From behind, so that the last of equal ones stays.
  entries_.erase(entries_.begin(), std::unique(entries_.rbegin(), entries_.rend(), same).base());
  size_t at = 0;
  for (size_t byte = 0; byte < 256; ++byte) {
    first_[byte] = at;
    while (at < entries_.size() && static_cast<unsigned char>(entries_[at].first.front()) == byte) ++at;
  }
  first_[256] = at;
}

std::pair<size_t, size_t> PrefixTable::Narrow(size_t begin, size_t end, size_t at, char byte) const {
  const auto value = [at](const auto& entry) { return static_cast<unsigned char>(entry.first[at]); };
  const auto wanted = static_cast<unsigned char>(byte);
  const auto first = entries_.begin();
  const auto low =
      std::partition_point(first + static_cast<std::ptrdiff_t>(begin), first + static_cast<std::ptrdiff_t>(end),
                           [&](const auto& entry) { return value(entry) < wanted; });
  const auto high = std::partition_point(low, first + static_cast<std::ptrdiff_t>(end),
                                         [&](const auto& entry) { return value(entry) == wanted; });
  return {static_cast<size_t>(low - first), static_cast<size_t>(high - first)};
}

}  // namespace isoveil
