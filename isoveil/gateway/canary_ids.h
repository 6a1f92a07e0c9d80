// The ids that canaries ask for: spread over a vocabulary, the same for every key.
//
//   const std::vector<WireId> prompt = SpreadIds<WireId>(n_vocab, 24);
#pragma once

#include <cstdint>
#include <vector>

namespace isoveil {

// `n` ids of a vocabulary of `n_vocab`, beginning with number `first` of the sequence.
template <typename Id>
std::vector<Id> SpreadIds(uint64_t n_vocab, uint64_t n, uint64_t first = 0) {
  std::vector<Id> ids;
  for (uint64_t i = first; i < first + n; ++i) {
    ids.push_back(static_cast<Id>((i * 2654435761U + 97 * i * i + 11) % n_vocab));
  }
  return ids;
}

}  // namespace isoveil
