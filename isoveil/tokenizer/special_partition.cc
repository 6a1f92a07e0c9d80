#include "isoveil/tokenizer/special_partition.h"

#include <algorithm>
#include <map>

namespace isoveil {
namespace {

constexpr int32_t kNone = -1;

bool IsSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// A token where it stands, with the white space that it takes.
struct Placed {
  size_t begin, end;  // of both
  TextSpan span;
};

// What of a text no token has taken yet.
class FreeText {
 public:
  explicit FreeText(std::string_view text) : text_(text), taken_(text.size(), false) {}

  // The tokens before are no shorter, and the white space that they took lies at them: the ends tell all.
  bool IsFree(size_t begin, size_t end) const { return !taken_[begin] && !taken_[end - 1]; }
  bool IsTaken(size_t at) const { return taken_[at]; }

  Placed Take(const SpecialToken& token, size_t at) {
    size_t begin = at, end = at + token.text.size();
    while (token.strips_left && begin > 0 && !taken_[begin - 1] && IsSpace(text_[begin - 1])) --begin;
    while (token.strips_right && end < text_.size() && !taken_[end] && IsSpace(text_[end])) ++end;
    std::fill(taken_.begin() + static_cast<ptrdiff_t>(begin), taken_.begin() + static_cast<ptrdiff_t>(end), true);
    return {begin, end, {token.id, at, token.text.size()}};
  }

 private:
  std::string_view text_;
  std::vector<bool> taken_;
};

// The tokens and the text between them, in order.
std::vector<TextSpan> SpansOf(std::vector<Placed> placed, size_t size) {
  std::sort(placed.begin(), placed.end(), [](const Placed& a, const Placed& b) { return a.begin < b.begin; });
  std::vector<TextSpan> spans;
  size_t begin = 0;
  for (const Placed& token : placed) {
    if (token.begin > begin) spans.push_back({std::nullopt, begin, token.begin - begin});
    spans.push_back(token.span);
    begin = token.end;
  }
  if (begin < size) spans.push_back({std::nullopt, begin, size - begin});
  return spans;
}

}  // namespace

size_t NextBarrier(std::span<const size_t> barriers, size_t begin, size_t end) {
  const auto next = std::lower_bound(barriers.begin(), barriers.end(), begin);
  return next == barriers.end() ? end : std::min(*next, end);
}

std::vector<SpecialToken> SpecialTokensOf(const llama_vocab* vocab) {
  std::vector<SpecialToken> tokens;
  for (llama_token id = 0; id < llama_vocab_n_tokens(vocab); ++id) {
    const int attributes = llama_vocab_get_attr(vocab, id);
    const bool hidden = (attributes & (LLAMA_TOKEN_ATTR_CONTROL | LLAMA_TOKEN_ATTR_UNKNOWN)) != 0;
    if (!hidden && (attributes & LLAMA_TOKEN_ATTR_USER_DEFINED) == 0) continue;
    tokens.push_back({PlainId{id}, llama_vocab_get_text(vocab, id), !hidden,
                      (attributes & LLAMA_TOKEN_ATTR_LSTRIP) != 0, (attributes & LLAMA_TOKEN_ATTR_RSTRIP) != 0});
  }
  return tokens;
}

SpecialPartition::SpecialPartition(std::vector<SpecialToken> tokens) : tokens_(std::move(tokens)) {
  // The same sort as llama.cpp's, so that tokens of one length come in the same order.
  std::sort(tokens_.begin(), tokens_.end(),
            [](const SpecialToken& a, const SpecialToken& b) { return a.text.size() > b.text.size(); });
  shorter_.resize(tokens_.size(), kNone);
  roots_.fill(kNone);
  // The shortest first, so that each finds those that it begins with.
  for (size_t i = tokens_.size(); i > 0; --i) Insert(static_cast<int32_t>(i - 1));
}

// Among the nodes from `first` on, the one of a byte.
int32_t SpecialPartition::Child(int32_t first, char byte) const {
  while (first != kNone && nodes_[static_cast<size_t>(first)].byte != byte)
    first = nodes_[static_cast<size_t>(first)].sibling;
  return first;
}

int32_t SpecialPartition::ChildOrNew(int32_t parent, char byte) {
  const auto first = [&]() -> int32_t& {
    return parent == kNone ? roots_[static_cast<unsigned char>(byte)] : nodes_[static_cast<size_t>(parent)].child;
  };
  const int32_t there = Child(first(), byte);
  if (there != kNone) return there;
  const auto added = static_cast<int32_t>(nodes_.size());
  nodes_.push_back({.byte = byte, .sibling = first()});
  return first() = added;
}

void SpecialPartition::Insert(int32_t token) {
  const std::string& text = tokens_[static_cast<size_t>(token)].text;
  if (text.empty()) return;
  int32_t node = kNone;
  for (const char byte : text) {
    node = ChildOrNew(node, byte);
    const int32_t end = nodes_[static_cast<size_t>(node)].token;
    if (end != kNone) shorter_[static_cast<size_t>(token)] = end;
  }
  nodes_[static_cast<size_t>(node)].token = token;
}

int32_t SpecialPartition::NextShorter(int32_t token, bool parse_special) const {
  do {
    token = shorter_[static_cast<size_t>(token)];
  } while (token != kNone && !parse_special && !tokens_[static_cast<size_t>(token)].always);
  return token;
}

// The longest token that `text` begins with.
int32_t SpecialPartition::LongestAt(std::string_view text, bool parse_special) const {
  int32_t longest = kNone;
  int32_t node = roots_[static_cast<unsigned char>(text[0])];
  for (size_t i = 1; node != kNone; ++i) {
    const Node& here = nodes_[static_cast<size_t>(node)];
    if (here.token != kNone && (parse_special || tokens_[static_cast<size_t>(here.token)].always)) longest = here.token;
    node = i < text.size() ? Child(here.child, text[i]) : kNone;
  }
  return longest;
}

std::vector<TextSpan> SpecialPartition::Cut(std::string_view text, bool parse_special,
                                            std::span<const size_t> barriers) const {
  // Where each token may stand: at first the longest at each place, and a shorter one where that has no room.
  std::map<int32_t, std::vector<uint32_t>> places;
  for (size_t at = 0; at < text.size(); ++at) {
    const int32_t longest = LongestAt(text.substr(at), parse_special);
    if (longest != kNone) places[longest].push_back(static_cast<uint32_t>(at));
  }
  FreeText free(text);
  std::vector<Placed> placed;
  for (; !places.empty(); places.erase(places.begin())) {
    auto& [number, here] = *places.begin();
    const SpecialToken& token = tokens_[static_cast<size_t>(number)];
    const int32_t shorter = NextShorter(number, parse_special);
    std::sort(here.begin(), here.end());
    for (const uint32_t at : here) {
      if (free.IsTaken(at)) continue;
      const size_t end = at + token.text.size();
      if (free.IsFree(at, end) && NextBarrier(barriers, at, end) == end) {
        placed.push_back(free.Take(token, at));
      } else if (shorter != kNone) {
        places[shorter].push_back(at);
      }
    }
  }
  return SpansOf(std::move(placed), text.size());
}

}  // namespace isoveil
