#include "isoveil/tokenizer/text_rules.h"

#include <algorithm>
#include <functional>

#include "isoveil/base/utf8.h"
#include "isoveil/tokenizer/nfc.h"
#include "isoveil/tokenizer/special_partition.h"

namespace isoveil {

size_t SpaceAtStart(std::string_view text) {
  size_t size = 0;
  while (const size_t length = SpaceLength(text.substr(size))) size += length;
  return size;
}

std::string_view WithoutSpaceAtEnd(std::string_view text) {
  while (!text.empty()) {
    size_t last = text.size() - 1;
    while (last > 0 && (static_cast<unsigned char>(text[last]) & 0xc0) == 0x80) --last;
    if (SpaceLength(text.substr(last)) == 0) break;
    text = text.substr(0, last);
  }
  return text;
}

void TextRules::AddSpecial(std::string text, PlainId id, bool always) {
  if (text.empty()) return;
  std::vector<size_t>& lengths = lengths_[static_cast<unsigned char>(text[0])];
  const auto place = std::lower_bound(lengths.begin(), lengths.end(), text.size(), std::greater<>());
  if (place == lengths.end() || *place != text.size()) lengths.insert(place, text.size());
  specials_.try_emplace(std::move(text), Special{id, always});
}

bool TextRules::Strip(int64_t id, bool left) {
  const auto it = std::find_if(specials_.begin(), specials_.end(),
                               [&](const auto& entry) { return entry.second.id == IdOf<PlainId>(id); });
  if (it == specials_.end()) return false;
  (left ? it->second.strips_left : it->second.strips_right) = true;
  return true;
}

// The longest special token that `text` begins with.
std::optional<TextRules::Found> TextRules::SpecialAt(std::string_view text) const {
  for (const size_t length : lengths_[static_cast<unsigned char>(text[0])]) {
    if (length > text.size()) continue;
    const auto it = specials_.find(text.substr(0, length));
    if (it != specials_.end()) return Found{it->second, length};
  }
  return std::nullopt;
}

Status TextRules::AppendText(std::string_view text, bool at_start, std::vector<TextSection>& sections) const {
  if (text.empty()) return Ok();
  std::string ready(text);
  if (nfc) {
    ISOVEIL_ASSIGN_OR_RETURN(ready, ToNfc(text));
  }
  const bool wanted = space_prefix == SpacePrefix::kEach || (space_prefix == SpacePrefix::kFirst && at_start);
  // U+2581 stands for a space already.
  if (wanted && !ready.starts_with(' ') && !ready.starts_with("\xe2\x96\x81")) ready.insert(0, 1, ' ');
  sections.push_back({std::nullopt, std::move(ready)});
  return Ok();
}

Result<std::vector<TextSection>> TextRules::Apply(std::string_view text, bool parse_special,
                                                  std::span<const size_t> barriers) const {
  std::vector<TextSection> sections;
  size_t begin = 0;  // of what no section has yet
  for (size_t i = 0; i < text.size();) {
    const size_t limit = NextBarrier(barriers, i, text.size());
    const bool barred = limit == i;
    const std::optional<Found> found = SpecialAt(barred ? text.substr(i) : text.substr(i, limit - i));
    if (!found || barred || !(found->special.always || parse_special)) {
      // One that is not asked for is text, but none is looked for inside of it.
      i += found ? found->length : 1;
      continue;
    }
    // White space that the token before has taken may be the beginning of this one.
    std::string_view before = text.substr(begin, i - std::min(begin, i));
    if (found->special.strips_left) before = WithoutSpaceAtEnd(before);
    ISOVEIL_RETURN_IF_ERROR(AppendText(before, begin == 0, sections));
    sections.push_back({found->special.id, ""});
    begin = i += found->length;
    if (found->special.strips_right) begin += SpaceAtStart(text.substr(begin));
  }
  ISOVEIL_RETURN_IF_ERROR(AppendText(text.substr(begin), begin == 0, sections));
  return sections;
}

}  // namespace isoveil
