#include "isoveil/tokenizer/special_partition.h"

#include <algorithm>

namespace isoveil {
namespace {

bool IsSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// Cuts one span of text at one token.
void CutSpan(std::string_view text, const TextSpan& span, const SpecialToken& special, std::span<const size_t> barriers,
             std::vector<TextSpan>& out) {
  size_t begin = span.begin;
  const size_t end = span.begin + span.length;
  for (size_t from = begin; from < end;) {
    const size_t match = text.substr(0, end).find(special.text, from);
    if (match == std::string_view::npos) break;
    const size_t after = match + special.text.size();
    if (NextBarrier(barriers, match, after) != after) {
      from = match + 1;
      continue;
    }
    size_t left = match;
    while (special.strips_left && left > begin && IsSpace(text[left - 1])) --left;
    if (left > begin) out.push_back({std::nullopt, begin, left - begin});
    out.push_back({special.id, match, special.text.size()});
    begin = after;
    while (special.strips_right && begin < end && IsSpace(text[begin])) ++begin;
    from = begin;
  }
  if (begin < end) out.push_back({std::nullopt, begin, end - begin});
}

}  // namespace

size_t NextBarrier(std::span<const size_t> barriers, size_t begin, size_t end) {
  const auto next = std::lower_bound(barriers.begin(), barriers.end(), begin);
  return next == barriers.end() ? end : std::min(*next, end);
}

std::vector<TextSpan> CutAtSpecials(std::string_view text, std::span<const SpecialToken> specials,
                                    std::span<const size_t> barriers) {
  std::vector<TextSpan> spans;
  if (!text.empty()) spans.push_back({std::nullopt, 0, text.size()});
  for (const SpecialToken& special : specials) {
    if (special.text.empty()) continue;
    std::vector<TextSpan> next;
    next.reserve(spans.size());
    for (const TextSpan& span : spans) {
      if (span.token) {
        next.push_back(span);
      } else {
        CutSpan(text, span, special, barriers, next);
      }
    }
    spans = std::move(next);
  }
  return spans;
}

}  // namespace isoveil
