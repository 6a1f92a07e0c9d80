// A text cut at its special tokens, as llama.cpp cuts it, but with places that no special token may lie over.
//
//   for (const TextSpan& span : CutAtSpecials(text, specials, barriers)) ...
//
// llama.cpp (tokenizer_st_partition) looks for one token after the other, the longest first, in what is still text. The
// barriers tell contents from the template around them: see spelled_tokens.h.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "isoveil/base/token_id.h"

namespace isoveil {

struct SpecialToken {
  PlainId id{};
  std::string text;
  bool strips_left = false;  // takes the white space before it
  bool strips_right = false;
};

// A special token, or the text between two.
struct TextSpan {
  std::optional<PlainId> token;
  size_t begin = 0;
  size_t length = 0;
};

// `specials` come longest first, `barriers` ascending.
std::vector<TextSpan> CutAtSpecials(std::string_view text, std::span<const SpecialToken> specials,
                                    std::span<const size_t> barriers);

// The first barrier in [begin, end), or `end`.
size_t NextBarrier(std::span<const size_t> barriers, size_t begin, size_t end);

}  // namespace isoveil
