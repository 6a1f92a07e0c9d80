// Which coordinates of an attention head RoPE turns together.
//
//   RopeLayout layout{.head_dim = 64, .rotary_dim = 64, .pairing = RopeLayout::Pairing::kInterleaved};
//   layout.Pairs()[3];      // {6, 7}; with kRotateHalf {3, 35}
//
// Pair p turns with the same frequency in both layouts, so pairs in this order are canonical: what a key
// draws for pair p does not depend on the layout. Source: Su et al., arXiv 2104.09864; the layouts are
// those of Hugging Face transformers (rotate-half) and of llama.cpp's Llama (interleaved).
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace isoveil {

struct RopeLayout {
  enum class Pairing { kRotateHalf, kInterleaved };

  uint64_t head_dim = 0;
  uint64_t rotary_dim = 0;  // even; the leading coordinates of the head
  Pairing pairing = Pairing::kRotateHalf;

  std::vector<std::pair<uint32_t, uint32_t>> Pairs() const {
    std::vector<std::pair<uint32_t, uint32_t>> pairs;
    const auto half = static_cast<uint32_t>(rotary_dim / 2);
    for (uint32_t p = 0; p < half; ++p) {
      if (pairing == Pairing::kRotateHalf) {
        pairs.emplace_back(p, p + half);
      } else {
        pairs.emplace_back(2 * p, 2 * p + 1);
      }
    }
    return pairs;
  }
};

}  // namespace isoveil
