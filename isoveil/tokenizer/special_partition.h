// A text cut at its special tokens, as llama.cpp cuts it, but in linear time and with places that no special token may
// lie over.
//
//   const SpecialPartition partition(SpecialTokensOf(vocab));                                  // once
//   for (const TextSpan& span : partition.Cut(text, /*parse_special=*/true, barriers)) ...
//
// llama.cpp (tokenizer_st_partition) looks for one token after the other, the longest first, in what is still text: a
// text of as many "<" as a vocabulary has control tokens takes quadratic time. Here one pass finds what may begin
// where. The barriers tell contents from the template around them: see spelled_tokens.h. Immutable.
#pragma once

#include <llama.h>

#include <array>
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
  bool always = false;       // also where special tokens are not parsed
  bool strips_left = false;  // takes the white space before it
  bool strips_right = false;
};

// In the order of their ids.
std::vector<SpecialToken> SpecialTokensOf(const llama_vocab* vocab);

// A special token, or the text between two.
struct TextSpan {
  std::optional<PlainId> token;
  size_t begin = 0;
  size_t length = 0;

  bool operator==(const TextSpan&) const = default;
};

class SpecialPartition {
 public:
  // Tokens in the order of their ids: where two of one length overlap, llama.cpp's sort decides, and so does this.
  explicit SpecialPartition(std::vector<SpecialToken> tokens);

  // No span is empty. `barriers` ascend.
  std::vector<TextSpan> Cut(std::string_view text, bool parse_special, std::span<const size_t> barriers = {}) const;

  // Whether `text`, which is not empty, begins with a token.
  bool BeginsOne(std::string_view text, bool parse_special) const { return LongestAt(text, parse_special) >= 0; }

 private:
  int32_t Child(int32_t first, char byte) const;
  int32_t ChildOrNew(int32_t parent, char byte);
  void Insert(int32_t token);
  int32_t LongestAt(std::string_view text, bool parse_special) const;
  int32_t NextShorter(int32_t token, bool parse_special) const;

  std::vector<SpecialToken> tokens_;  // longest first
  std::vector<int32_t> shorter_;      // by token: the longest other one that it begins with, or -1
  // The tree of the texts. -1 stands for none.
  struct Node {
    char byte = '\0';
    int32_t child = -1;    // the first of the nodes behind it
    int32_t sibling = -1;  // the next one at the same place
    int32_t token = -1;    // that ends here
  };
  std::vector<Node> nodes_;
  std::array<int32_t, 256> roots_ = {};  // by the first byte
};

// The first barrier in [begin, end), or `end`.
size_t NextBarrier(std::span<const size_t> barriers, size_t begin, size_t end);

}  // namespace isoveil
