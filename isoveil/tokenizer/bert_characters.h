// Classes of characters and mappings as Hugging Face's BERT normalizer and pre-tokenizer have them: categories of
// Unicode 8, of the library unicode_categories. All characters of Unicode 14 were compared.
//
// Differences that remain: U+1DF6 among other combining characters keeps its place there.
#pragma once

#include <string>
#include <string_view>

namespace isoveil {

// Removed where a text is cleaned: control, format, private and unassigned-for-ever characters, U+0000 and U+FFFD.
bool IsBertControl(char32_t c);
// White space that cleaning makes a space of, and that words are cut at.
bool IsBertSpace(char32_t c);
bool IsBertPunctuation(char32_t c);
// In the blocks of CJK ideographs.
bool IsBertIdeograph(char32_t c);
bool IsBertAccent(char32_t c);

// Canonical decomposition, in canonical order.
std::u32string DecomposeForBert(std::u32string_view text);
void AppendLowercase(char32_t c, std::u32string& text);

std::u32string CharactersOf(std::string_view utf8);
void AppendUtf8(char32_t c, std::string& text);

}  // namespace isoveil
