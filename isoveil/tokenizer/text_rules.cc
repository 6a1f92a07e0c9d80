#include "isoveil/tokenizer/text_rules.h"

#include <algorithm>

#include "isoveil/tokenizer/nfc.h"

namespace isoveil {

void TextRules::AddSpecial(std::string text, bool always) {
  if (text.empty()) return;
  by_first_byte_.resize(256);
  auto& list = by_first_byte_[static_cast<unsigned char>(text[0])];
  const auto longer = [&](const Special& other) { return other.text.size() >= text.size(); };
  list.insert(std::find_if_not(list.begin(), list.end(), longer), {std::move(text), always});
}

// The longest special token that `text` begins with, or nothing.
std::string_view TextRules::SpecialAt(std::string_view text, bool parse_special) const {
  if (by_first_byte_.empty()) return {};
  for (const Special& special : by_first_byte_[static_cast<unsigned char>(text[0])]) {
    if ((special.always || parse_special) && text.starts_with(special.text)) return special.text;
  }
  return {};
}

Status TextRules::AppendPlain(std::string_view text, std::string& out) const {
  if (!nfc) {
    out += text;
    return Ok();
  }
  ISOVEIL_ASSIGN_OR_RETURN(const std::string normal, ToNfc(text));
  out += normal;
  return Ok();
}

Result<std::string> TextRules::Apply(std::string_view text, bool parse_special) const {
  if ((!nfc && !space_before_text) || text.empty()) return std::string(text);
  std::string out;
  if (space_before_text && text[0] != ' ' && !text.starts_with("\xe2\x96\x81") &&
      SpecialAt(text, parse_special).empty()) {
    out += ' ';
  }
  size_t begin = 0;
  for (size_t i = 0; i < text.size();) {
    const std::string_view special = SpecialAt(text.substr(i), parse_special);
    if (special.empty()) {
      ++i;
      continue;
    }
    ISOVEIL_RETURN_IF_ERROR(AppendPlain(text.substr(begin, i - begin), out));
    out += special;
    begin = i += special.size();
  }
  ISOVEIL_RETURN_IF_ERROR(AppendPlain(text.substr(begin), out));
  return out;
}

}  // namespace isoveil
