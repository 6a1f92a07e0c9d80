// The tokens that a text begins with.
//
//   PrefixTable table;
//   table.Add("he", 3); table.Add("hello", 7); table.Finish();
//   table.ForEach("hello!", [](size_t length, int32_t id) { ... });   // (2, 3), (5, 7)
//
// Sorted texts; each byte narrows the range of those that begin alike. Immutable after Finish; safe to share.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace isoveil {

class PrefixTable {
 public:
  // The empty text is left out; of equal texts the last one stays.
  void Add(std::string text, int32_t id);
  void Finish();

  // Calls found(length, id), the shortest first.
  template <typename Found>
  void ForEach(std::string_view text, const Found& found) const {
    if (text.empty()) return;
    const auto byte = static_cast<unsigned char>(text.front());
    size_t begin = first_[byte], end = first_[byte + 1];
    for (size_t length = 1; begin < end; ++length) {
      if (entries_[begin].first.size() == length) found(length, entries_[begin++].second);
      if (length == text.size()) return;
      std::tie(begin, end) = Narrow(begin, end, length, text[length]);
    }
  }

  // The longest of them, and its length; -1 and 0 if there is none.
  std::pair<int32_t, size_t> Longest(std::string_view text) const {
    std::pair<int32_t, size_t> longest = {-1, 0};
    ForEach(text, [&](size_t length, int32_t id) { longest = {id, length}; });
    return longest;
  }

 private:
  // Of entries that are longer than `at`, those with this byte there.
  std::pair<size_t, size_t> Narrow(size_t begin, size_t end, size_t at, char byte) const;

  std::vector<std::pair<std::string, int32_t>> entries_;
  std::array<size_t, 257> first_ = {};  // entries by their first byte
};

}  // namespace isoveil
