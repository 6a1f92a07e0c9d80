// Byte-pair merging: neighbours become one symbol, the pair of the lowest rank first, the leftmost of equals.
//
//   std::vector<Symbol> symbols = ...;   // one for each character, in order
//   MergePairs(symbols, [&](const Symbol& left, const Symbol& right) -> std::optional<Merged> { ... });
//   ForEachSymbol(symbols, [&](const Symbol& symbol) { ids.push_back(symbol.id); });
//
// A text of n characters takes n log n steps and 28 bytes for each.
#pragma once

#include <cstdint>
#include <optional>
#include <queue>
#include <vector>

namespace isoveil {

struct Symbol {
  int32_t id = -1;
  uint32_t begin = 0;  // in the text
  uint32_t size = 0;   // 0 once it is a part of the symbol before it
  int32_t next = -1;
  int32_t previous = -1;
};

struct Merged {
  uint32_t rank;
  int32_t id;
};

inline void AppendSymbol(std::vector<Symbol>& symbols, int32_t id, size_t begin, size_t size) {
  const auto index = static_cast<int32_t>(symbols.size());
  if (index > 0) symbols.back().next = index;
  symbols.push_back({id, static_cast<uint32_t>(begin), static_cast<uint32_t>(size), -1, index - 1});
}

// `find` says what two neighbours make, if anything; it must always say the same of the same two.
template <typename Find>
void MergePairs(std::vector<Symbol>& symbols, const Find& find) {
  struct Candidate {
    uint32_t rank;
    int32_t left;
    int32_t id;
    uint32_t size;                                  // of both when the candidate was found; symbols only grow
    bool operator<(const Candidate& other) const {  // the queue gives its greatest first
      return rank != other.rank ? rank > other.rank : left > other.left;
    }
  };
  std::priority_queue<Candidate> queue;
  const auto consider = [&](int32_t left) {
    if (left < 0 || symbols[left].next < 0) return;
    const Symbol& first = symbols[left];
    const Symbol& second = symbols[first.next];
    if (const std::optional<Merged> merged = find(first, second))
      queue.push({merged->rank, left, merged->id, first.size + second.size});
  };
  for (size_t i = 0; i + 1 < symbols.size(); ++i) consider(static_cast<int32_t>(i));
  while (!queue.empty()) {
    const Candidate best = queue.top();
    queue.pop();
    Symbol& left = symbols[best.left];
    if (left.size == 0 || left.next < 0 || left.size + symbols[left.next].size != best.size) continue;
    Symbol& right = symbols[left.next];
    left.id = best.id;
    left.size = best.size;
    left.next = right.next;
    right.size = 0;
    if (left.next >= 0) symbols[left.next].previous = best.left;
    consider(left.previous);
    consider(best.left);
  }
}

// The symbols that are left, in order.
template <typename Visit>
void ForEachSymbol(const std::vector<Symbol>& symbols, const Visit& visit) {
  for (int32_t i = symbols.empty() ? -1 : 0; i >= 0; i = symbols[i].next) visit(symbols[i]);
}

}  // namespace isoveil
