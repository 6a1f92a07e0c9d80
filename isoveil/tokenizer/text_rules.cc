#include "isoveil/tokenizer/text_rules.h"

#include <algorithm>
#include <functional>

#include "isoveil/tokenizer/nfc.h"

namespace isoveil {

void TextRules::AddSpecial(std::string text, TokenId id, bool always) {
  if (text.empty()) return;
  std::vector<size_t>& lengths = lengths_[static_cast<unsigned char>(text[0])];
  const auto place = std::lower_bound(lengths.begin(), lengths.end(), text.size(), std::greater<>());
  if (place == lengths.end() || *place != text.size()) lengths.insert(place, text.size());
  specials_.try_emplace(std::move(text), Special{id, always});
}

// The longest special token that `text` begins with.
std::optional<TextRules::Found> TextRules::SpecialAt(std::string_view text) const {
  for (const size_t length : lengths_[static_cast<unsigned char>(text[0])]) {
    if (length > text.size()) continue;
    const auto it = specials_.find(text.substr(0, length));
    if (it != specials_.end()) return Found{it->second.id, it->second.always, length};
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

Result<std::vector<TextSection>> TextRules::Apply(std::string_view text, bool parse_special) const {
  std::vector<TextSection> sections;
  size_t begin = 0;
  for (size_t i = 0; i < text.size();) {
    const std::optional<Found> special = SpecialAt(text.substr(i));
    if (!special || !(special->always || parse_special)) {
      // One that is not asked for is text, but none is looked for inside of it.
      i += special ? special->length : 1;
      continue;
    }
    ISOVEIL_RETURN_IF_ERROR(AppendText(text.substr(begin, i - begin), begin == 0, sections));
    sections.push_back({special->id, ""});
    begin = i += special->length;
  }
  ISOVEIL_RETURN_IF_ERROR(AppendText(text.substr(begin), begin == 0, sections));
  return sections;
}

}  // namespace isoveil
